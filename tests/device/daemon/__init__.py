from tests.device.daemon.process import DEVICE, DaemonProcess, running_daemon

__all__ = ["DEVICE", "DaemonProcess", "running_daemon"]
