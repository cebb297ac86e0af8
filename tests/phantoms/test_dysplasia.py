from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from neuromf.data.volume import VolumeError
from neuromf.phantoms.dysplasia import dysplasia, is_white, nearest_ventricle, transmantle
from neuromf.phantoms.lesion_config import Dysplasia
from phantoms.support import simple_brain

TAILED = Dysplasia(ml=(5.0, 10.0), tail=1.0, tail_mm=(3.0, 4.0))


def test_a_tail_leads_to_the_ventricle_through_white_matter():
    _, anatomy = simple_brain()
    tailed = 0
    for seed in range(6):
        shape = dysplasia(anatomy, TAILED, np.random.default_rng(seed))
        if not shape.drawn["tail_mm"]:
            continue
        tailed += 1
        assert anatomy.from_ventricles[shape.mask].min() <= 4
        assert ndimage.label(shape.mask, np.ones((3, 3, 3)))[1] == 1
        assert not shape.mask[anatomy.labels < 2].any()
    assert tailed >= 3


def test_without_a_tail_it_stays_away_from_the_ventricle():
    _, anatomy = simple_brain()
    for seed in range(4):
        shape = dysplasia(anatomy, replace(TAILED, tail=0.0), np.random.default_rng(seed))
        assert shape.drawn["tail_mm"] == 0
        assert anatomy.from_ventricles[shape.mask].min() > 5


def test_a_tail_gets_thinner_and_is_no_large_part():
    _, anatomy = simple_brain()
    seed = tuple(np.argwhere(anatomy.cortex)[0])
    end = nearest_ventricle(anatomy, seed)
    tail = transmantle(anatomy, seed, end, 4.0, 1e6)
    assert tail.any()
    outer = anatomy.from_ventricles > anatomy.from_ventricles[tail].max() / 2
    assert tail[outer].sum() > 1.2 * tail[~outer].sum()
    assert not transmantle(anatomy, seed, end, 4.0, 3).any()
    assert not transmantle(anatomy, seed, end, 0.0, 1e6).any()


def test_a_way_through_fluid_is_no_tail():
    _, anatomy = simple_brain()
    middle = np.array(anatomy.labels.shape) // 2
    across = np.array([50.0, 0.0, 0.0])
    start = tuple(int(i) for i in middle - [12, 0, 0])
    assert not is_white(anatomy, start, across)
    above = tuple(int(i) for i in np.add(middle, (-12, 0, 10)))
    assert is_white(anatomy, above, across)


def test_it_is_flat_and_blurred_in_white_matter():
    """A flatter one reaches less deep; a wider blur changes more white matter."""
    _, anatomy = simple_brain()
    depth = ndimage.distance_transform_edt(~anatomy.cortex, anatomy.spacing)
    reach, spread = {}, {}
    for flat in (1.0, 4.0):
        config = replace(TAILED, tail=0.0, flatness=(flat, flat))
        shapes = [dysplasia(anatomy, config, np.random.default_rng(s)) for s in range(3)]
        reach[flat] = np.mean([depth[s.mask].max() for s in shapes])
    for blur in (2.0, 8.0):
        config = replace(TAILED, tail=0.0, blur_mm=(blur, blur))
        shapes = [dysplasia(anatomy, config, np.random.default_rng(s)) for s in range(3)]
        spread[blur] = sum(((s.weight > 0) & ~s.mask)[anatomy.white].sum() for s in shapes)
    assert reach[4.0] < 0.7 * reach[1.0]
    assert spread[8.0] > 1.5 * spread[2.0]


def test_a_brain_without_cortex_is_refused():
    _, anatomy = simple_brain()
    bare = anatomy._replace(cortex=np.zeros_like(anatomy.cortex))
    with pytest.raises(VolumeError, match="no cortex beside white matter"):
        dysplasia(bare, Dysplasia(), np.random.default_rng(0))
