"""Tabs of the page, one file each. A tab's `build(space)` adds its components, its events and its named endpoints."""

from apps.tabs import interpolate, reconstruct, sample

# title → build, in the order of the page
TABS = {"Interpolate": interpolate.build, "Reconstruct": reconstruct.build, "Sample": sample.build}
