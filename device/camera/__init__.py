"""Where frames come from: one module an adapter, none imports another."""
