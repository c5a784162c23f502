#!/usr/bin/env python3
"""Reference numbers for the statistics of Sources/Evaluation, from SciPy (1.17) and NumPy, on fixed data.

Writes Tests/Fixtures/statistics/scipy.json. Needs: pip install scipy numpy

  python3 Scripts/make_statistics_fixtures.py
"""
import json
import pathlib

import numpy as np
from scipy import special, stats

data = {
    "first": [0.412, 0.455, 0.391, 0.47, 0.433, 0.402, 0.448],
    "second": [0.446, 0.461, 0.42, 0.468, 0.47, 0.431, 0.455],
    "skewed": [0.1, 0.3, 0.2, 4.1, 0.9, 1.7, 0.05, 0.6, 2.4, 0.15, 0.45, 7.2, 1.1, 0.8, 0.35, 0.02, 3.3, 0.7, 0.25, 1.4],
}
first, second = np.array(data["first"]), np.array(data["second"])
out = {"data": data}

points = [(t, v) for v in (1, 2, 2.5, 4, 9, 29, 400) for t in (-6.0, -1.3, 0.0, 0.02, 0.7, 2.1, 4.3, 12.7, 60.0)]
out["t_cdf"] = [[t, v, stats.t.cdf(t, v)] for t, v in points]
out["t_two_sided"] = [[t, v, 2 * stats.t.sf(abs(t), v)] for t, v in points]
out["t_quantile"] = [[p, v, stats.t.ppf(p, v)] for v in (1, 2, 2.5, 4, 9, 29, 400) for p in (0.0005, 0.025, 0.2, 0.5, 0.9, 0.975, 0.995)]
out["nct_cdf"] = [
    [t, v, d, stats.nct.cdf(t, v, d)]
    for v in (2, 4, 9, 30) for d in (0.5, 1.5, 3.0, 6.0) for t in (-1.0, 0.5, 2.0, 4.3, 8.0)
]
out["normal"] = [[p, stats.norm.ppf(p)] for p in (1e-9, 0.001, 0.025, 0.3, 0.5, 0.8, 0.975, 0.9999)]
out["beta"] = [[x, a, b, special.betainc(a, b, x)] for a, b in ((0.5, 0.5), (1, 3), (2.5, 0.5), (12, 7), (200, 0.5), (80, 120)) for x in (0.01, 0.2, 0.5, 0.77, 0.99)]
out["log_gamma"] = [[x, special.gammaln(x)] for x in (0.1, 0.5, 1.5, 2.25, 7.0, 15.9, 16.1, 120.5, 3000.0)]

paired = stats.ttest_rel(second, first)
interval = paired.confidence_interval(0.95)
out["paired"] = {"difference": float((second - first).mean()), "t": paired.statistic, "p": paired.pvalue, "low": interval.low, "high": interval.high}
welch = stats.ttest_ind(second[:5], first, equal_var=False)
interval = welch.confidence_interval(0.95)
out["welch"] = {"p": welch.pvalue, "degrees": welch.df, "low": interval.low, "high": interval.high}

out["wilson"] = [
    [k, n, level, *stats.binomtest(k, n).proportion_ci(level, method="wilson")]
    for k, n in ((0, 10), (3, 10), (10, 10), (71, 200), (999, 1000)) for level in (0.9, 0.95)
]
out["mcnemar"] = [
    [b, c, stats.binomtest(min(b, c), b + c, 0.5).pvalue if b + c else 1.0,
     stats.chi2.sf(max(0, abs(b - c) - 1) ** 2 / (b + c), 1) if b + c else 1.0]
    for b, c in ((0, 0), (0, 1), (0, 6), (5, 5), (3, 12), (10, 25), (40, 71), (300, 361))
]
p = np.array([0.011, 0.02, 0.001, 0.4, 0.03, 0.6])
order = np.argsort(p)
steps = np.minimum(1, np.maximum.accumulate((len(p) - np.arange(len(p))) * p[order]))
adjusted = np.empty_like(p)
adjusted[order] = steps
out["holm"] = {"p": p.tolist(), "adjusted": adjusted.tolist()}

# Intervals by many draws, so that what differs between two generators is small.
skewed = np.array(data["skewed"])
for kind in ("percentile", "BCa"):
    found = stats.bootstrap((skewed,), np.mean, n_resamples=400_000, batch=4000, method=kind, rng=np.random.default_rng(1)).confidence_interval
    out["bootstrap_" + kind.lower()] = [found.low, found.high]
out["skewed_error"] = float(skewed.std() / np.sqrt(len(skewed)))  # what the draws' deviation tends to

# Power of a two-sided paired t test at 5 %.
out["power"] = []
for n in (3, 5, 10):
    for d in (0.5, 1.0, 1.5, 3.0):
        out["power"].append([n, d, stats.nct.sf(stats.t.ppf(0.975, n - 1), n - 1, d * np.sqrt(n))])

target = pathlib.Path(__file__).resolve().parent.parent / "Tests/Fixtures/statistics/scipy.json"
target.parent.mkdir(parents=True, exist_ok=True)


def plain(value):
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    return float(value)


target.write_text(json.dumps(plain(out), separators=(",", ":")).replace('],"', '],\n"') + "\n")
print(target, target.stat().st_size, "bytes")
