"""A device that is not there: tensors on the CPU that say they are elsewhere, as on Apple's GPU,
and may not hold float64.
"""

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_any, tree_leaves, tree_map

AWAY, HERE = torch.device("mps"), torch.device("cpu")


class Away(Tensor):
    """A tensor of the other device; what is computed from one is there too."""

    device = AWAY

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        with torch._C.DisableTorchFunctionSubclass():
            return _result(func, args, kwargs or {})


PLAIN = (Tensor, torch.nn.Parameter, Away)


class AnotherDevice(TorchFunctionMode):
    """While this is entered, `mps` is a device like any other that has no float64."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        for value in tree_leaves((args, kwargs)):
            if isinstance(value, Tensor) and type(value) not in PLAIN:  # decides itself: duals
                with self:
                    return type(value).__torch_function__(func, types, args, kwargs)
        if func is Tensor.to:
            return _moved(*args, **kwargs)
        if func in (Tensor.cpu, Tensor.numpy, Tensor.tolist, Tensor.item):
            return func(args[0].as_subclass(Tensor).clone(), *args[1:], **kwargs)
        return _result(func, args, kwargs)


def _moved(x, *args, **kwargs):
    """Tensor.to, whichever of its signatures was called."""
    device, dtype = kwargs.get("device"), kwargs.get("dtype")
    for arg in args:
        if isinstance(arg, Tensor):
            device, dtype = (AWAY if isinstance(arg, Away) else HERE), arg.dtype
        elif isinstance(arg, torch.dtype):
            dtype = arg
        elif isinstance(arg, str | torch.device):
            device = arg
    away = isinstance(x, Away) if device is None else torch.device(device).type == AWAY.type
    with torch._C.DisableTorchFunctionSubclass():
        moved = x.as_subclass(Tensor)
        moved = moved if dtype is None else torch.Tensor.to(moved, dtype)
    return _away(moved) if away else moved


def _result(func, args, kwargs):
    device = kwargs.get("device")
    away = tree_any(lambda v: isinstance(v, Away), (args, kwargs))
    if device is not None:
        away = torch.device(device).type == AWAY.type
        kwargs = {**kwargs, "device": HERE}
    out = func(*args, **kwargs)
    return tree_map(_away, out) if away else out


def _away(value):
    if not isinstance(value, Tensor) or value.is_sparse:
        return value
    if value.dtype in (torch.float64, torch.complex128):
        raise TypeError("Cannot convert a MPS Tensor to float64 dtype")  # as torch says it
    return value if isinstance(value, Away) else value.as_subclass(Away)
