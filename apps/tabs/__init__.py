"""Tabs of the page, one file each. A tab's `build(shelf)` adds its components, its events, and endpoints that only it has (others: `apps.endpoints`)."""

from apps.tabs import chat, control, digits, interpolate, models, playground, reconstruct, sample

# title → build, in the order of the page
TABS = {
    "Chat": chat.build,
    "Interpolate": interpolate.build,
    "Control": control.build,
    "Digits": digits.build,
    "Playground": playground.build,
    "Reconstruct": reconstruct.build,
    "Sample": sample.build,
    "Models": models.build,
}
