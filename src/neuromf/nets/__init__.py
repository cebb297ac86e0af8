"""Networks: the dual-time UNet and the moving average of its weights."""

from neuromf.nets.ema import ema_model
from neuromf.nets.unet import BRAIN, SMALL, DualTimeUNet, UNetConfig

__all__ = ["BRAIN", "SMALL", "DualTimeUNet", "UNetConfig", "ema_model"]
