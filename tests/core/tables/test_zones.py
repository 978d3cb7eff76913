"""Local time: compared with pandas, and with what a calendar says."""

import numpy as np
import pandas as pd
import pytest

from skvq.core.tables.columns import Columns
from skvq.core.tables.zones import from_local, is_rather_local, to_local, zone_of

NAMES = ["Europe/Berlin", "America/New_York", "Asia/Kolkata", "Etc/GMT+5", "Australia/Lord_Howe", "UTC+05:30"]
HOUR = 3600 * 10**6


@pytest.mark.parametrize("name", NAMES)
def test_local_times_are_those_of_pandas_and_come_back(name):
    times = pd.Series(pd.date_range("2019-01-01 00:30", periods=30_000, freq="h", tz="UTC").as_unit("us"))
    counts = times.dt.tz_convert(None).astype("int64").to_numpy()
    local = times.dt.tz_convert(name)
    zone = zone_of(str(local.dtype))
    found = to_local(counts, 10**6, zone)
    np.testing.assert_array_equal(found, local.dt.tz_localize(None).astype("int64").to_numpy())
    back = from_local(found, 10**6, zone)
    wrong = back != counts  # the second of two equal local times comes back as the first
    assert wrong.sum() == (~local.dt.tz_localize(None).duplicated(keep="first")).eq(False).sum()
    assert (back[wrong] < counts[wrong]).all()


def test_a_time_that_clocks_skip_comes_back_behind_the_jump():
    zone = zone_of("datetime64[us, Europe/Berlin]")
    skipped = pd.Timestamp("2024-03-31 02:30").value // 1000
    back = from_local(np.array([skipped]), 10**6, zone)
    assert pd.Timestamp(back[0] * 1000, tz="UTC").tz_convert("Europe/Berlin") == pd.Timestamp(
        "2024-03-31 03:30", tz="Europe/Berlin"
    )


def test_an_unknown_zone_is_an_error_and_no_zone_is_none():
    assert zone_of("datetime64[us]") is None
    assert zone_of("Datetime(time_unit='us', time_zone=None)") is None
    with pytest.raises(ValueError, match="there is no time zone 'Mars/Olympus'"):
        zone_of("datetime64[us, Mars/Olympus]")


def test_times_of_the_local_day_are_local_and_times_at_even_distances_are_not():
    zone = zone_of("datetime64[us, Europe/Berlin]")
    midnights = pd.Series(pd.date_range("2020", periods=1000, freq="D", tz="Europe/Berlin").as_unit("us"))
    counts = midnights.dt.tz_convert(None).astype("int64").to_numpy()
    assert is_rather_local(counts, 10**6, zone)
    assert not is_rather_local(counts[0] + HOUR * np.arange(20_000), 10**6, zone)
    assert not is_rather_local(np.random.RandomState(0).randint(0, 10**15, 1000), 10**6, zone)


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York"])
def test_midnights_of_a_zone_are_drawn_as_midnights(zone):
    random = np.random.RandomState(0)
    days = pd.Series(pd.Timestamp("2010-01-01") + pd.to_timedelta(random.permutation(5000)[:3000], unit="D"))
    odd = np.where(random.rand(3000) < 0.02, random.randint(4 * 60, 24 * 60, 3000), 0)
    frame = pd.DataFrame({"all": days, "most": days + pd.to_timedelta(odd, unit="min")})
    frame = frame.apply(lambda column: column.dt.tz_localize(zone))
    columns, cells = Columns.fit(frame)
    columns.check()
    pd.testing.assert_frame_equal(columns.restore(cells), frame)
    assert [column.unit for column in columns] == ["D", "m"]
    u = random.randn(3000)
    drawn = columns.restore(np.stack([column.marginal.from_normal(u) for column in columns], axis=1))
    share = ((drawn["most"].dt.hour == 0) & (drawn["most"].dt.minute == 0)).mean()
    assert (drawn["all"] == drawn["all"].dt.normalize()).all()
    assert share == pytest.approx((odd == 0).mean(), abs=5 * np.sqrt(0.02 / 3000))  # five standard errors


@pytest.mark.parametrize("zone", [*NAMES[:-1], "America/Port-au-Prince", "America/Argentina/Buenos_Aires"])
def test_zones_of_any_name_come_back(zone):
    frame = pd.DataFrame({"t": pd.date_range("2020-01-01", periods=400, freq="37h", tz=zone)})
    columns, cells = Columns.fit(frame)
    pd.testing.assert_frame_equal(columns.restore(cells), frame)
