"""The command group `textae image`."""

from apps.images import tools, walks

app = walks.app
app.registered_commands += tools.app.registered_commands
