"""The command group `textae image`."""

from apps.images import restoring, tools, walks

app = walks.app
app.registered_commands += [*restoring.app.registered_commands, *tools.app.registered_commands]
