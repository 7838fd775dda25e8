"""Names that stand in data and that pages show: what ``|named`` looks up, so that a catalogue has to know them."""

from gateway.web.language import N_

SEVERITIES = (N_("Critical"), N_("Major"), N_("Minor"), N_("Info"), N_("Resolved"))
WEEKDAYS = (N_("Mon"), N_("Tue"), N_("Wed"), N_("Thu"), N_("Fri"), N_("Sat"), N_("Sun"))
LIKENESSES = (N_("Profile"), N_("Model"), N_("Firmware"), N_("Site"), N_("Hub"), N_("Region"))
"""What devices can have in common, as a heading; within a sentence:"""
LIKE = (N_("profile"), N_("model"), N_("firmware"), N_("site"), N_("hub"), N_("region"))
PARTS = (N_("Broker"), N_("Relay"), N_("Pipeline"), N_("History"), N_("Offers"))
"""Of the gateway, as its status names them."""
STEPS = (N_("Fault to case"), N_("Case to the customer hearing of it"), N_("Case to its end"))
"""Of the report on speed."""
DUE = (N_("First answer"), N_("Answer to their words"), N_("Solution"))
"""Of the report on service levels."""
ALERTS = (
    N_("{1}: {2} more"),
    N_("{1}: {2} alerts"),
    N_("{1}, and {2} more"),
    N_("and {1} more"),
    N_("Answer OK to take it, NO to pass it on."),
    N_("The gateway's {1}: {2}"),
    N_("first answer is overdue"),
    N_("first answer is due soon"),
    N_("answer is overdue"),
    N_("answer is due soon"),
    N_("solution is overdue"),
    N_("solution is due soon"),
)
"""What alerts to staff say, see ``gateway.staff.alerts``."""
