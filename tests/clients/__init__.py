"""What hears Mien, as people have it: a real Home Assistant, a real Node-RED, a real Prometheus."""
