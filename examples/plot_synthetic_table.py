"""
A synthetic table, and its missing cells
========================================

A table of patients with a category, whole numbers, real numbers and missing cells: new rows are drawn, compared with
real ones, and drawn again for one sex; then the missing cells are completed.
"""

# %%
# The table
# ---------
#
# The diabetes data of Efron et al. (2004): 442 patients. The sex becomes a category, and a fifth of the blood tests
# are taken out, more of the young patients' than of the old ones'.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split

from skvq import OrderlessNADE
from skvq.display import MarginalsDisplay, PairsDisplay
from skvq.metrics import nearest_row_share, two_sample_auc

data = load_diabetes(as_frame=True, scaled=False)
whole = data.data.assign(progression=data.target, sex=data.data.sex.map({1: "female", 2: "male"}).astype("category"))
whole = whole[["age", "sex", "bmi", "bp", "s3", "s5", "progression"]].astype({"age": int})
random = np.random.RandomState(0)
untested = random.rand(len(whole)) < 0.4 * (whole.age < 45)
patients = whole.assign(s3=whole.s3.mask(untested), s5=whole.s5.mask(untested))
train, test = train_test_split(patients, test_size=0.4, random_state=0)
print(train.head())

# %%
# New rows
# --------
#
# The rows come back with the same dtypes. A random forest that is to tell them from real rows that were not fitted does
# hardly better than a coin (0.5), and they are no copies of the rows of the fit (0.5 again).

model = OrderlessNADE(random_state=0).fit(train)
drawn = model.sample(len(test), random_state=0)
print(drawn.head())
print(f"told apart: {two_sample_auc(test, drawn, random_state=0):.2f}")
print(f"nearer to the rows of the fit: {nearest_row_share(train, test, drawn):.2f}")

MarginalsDisplay.from_samples(test, drawn)
plt.show()

# %%
# What columns have to do with each other: here the blood tests, the body mass index and the sex.

PairsDisplay.from_samples(test, drawn, pairs=[("sex", "s3"), ("bmi", "s5"), ("s3", "s5")])
plt.show()

# %%
# Rows given columns
# ------------------

for sex in ("female", "male"):
    given = model.sample(500, given={"sex": sex, "age": 60}, random_state=0)
    real = patients[(patients.sex == sex) & patients.age.between(55, 65)]
    print(f"{sex}, 60: blood pressure {given.bp.mean():.0f} drawn, {real.bp.mean():.0f} of {len(real)} real patients")

# %%
# Missing cells
# -------------
#
# The tests that were taken out, and their completions: draws have the spread of the truth, means are nearest to it.

truth = whole.s5.loc[train.index]
missing = train.s5.isna()
figure, axes = plt.subplots(1, 2, figsize=(8, 4), sharex=True, sharey=True)
for ax, strategy in zip(axes, ("draw", "mean")):
    complete = model.complete(train, strategy=strategy, random_state=0)
    ax.scatter(truth[missing], complete.s5[missing], s=12)
    ax.axline((4.5, 4.5), slope=1, color="grey", linewidth=1)
    error = np.sqrt(np.square(complete.s5 - truth)[missing].mean())
    ax.set(title=f'strategy="{strategy}": error {error:.2f}', xlabel="s5, taken out", ylabel="s5, completed")
print(f"standard deviation of s5: {truth.std():.2f}")
figure.tight_layout()
plt.show()
