"""Networks: the dual-time UNet and the moving average of its weights."""

from neuromf.nets.config import BRAIN, SMALL, UNetConfig
from neuromf.nets.ema import ema_model
from neuromf.nets.unet import DualTimeUNet

__all__ = ["BRAIN", "SMALL", "DualTimeUNet", "UNetConfig", "ema_model"]
