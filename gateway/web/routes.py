"""The table of routes: every address, and the least role that may use it. A test tries each role on each."""

from gateway.web import callbacks, ops, sse, webhooks
from gateway.web.access import Route
from gateway.web.api import devices as device_deeds
from gateway.web.api import reads, writes
from gateway.web.auth import Role
from gateway.web.customer import pages as customer
from gateway.web.forms import CASE_COMMANDS, MESSAGE_COMMANDS
from gateway.web.pages import account, admin, case, demo, devices, join, lists, login, messages, queue, rules, silences

ID = r"{id:\d+}"
_VIEWER, _AGENT, _LEAD, _ADMIN = Role.VIEWER, Role.AGENT, Role.LEAD, Role.ADMIN
USER_DEEDS = {
    "invite": admin.invite,
    "reset": admin.reset,
    "role": admin.set_role,
    "disable": admin.set_disabled,
    "log-out": admin.end_sessions,
    "drop-second-factor": admin.drop_second_factor,
}

PUBLIC = (
    Route("GET", "/healthz", ops.healthz, None),
    Route("GET", "/readyz", ops.readyz, None),
    Route("GET", "/metrics", ops.metrics, None),
    Route("GET", "/login", login.show_login, None),
    Route("POST", "/login", login.log_in, None),
    Route("POST", "/login/code", login.take_code, None),
    Route("GET", "/join/{token}", join.show_join, None),
    Route("POST", "/join/{token}", join.join, None),
    Route("GET", "/p/{token}", customer.show_page, None),
    Route("POST", "/p/{token}/write", customer.write, None),
    Route("POST", "/p/{token}/tried", customer.tried, None),
    Route("POST", "/p/{token}/service", customer.service, None),
    Route("POST", "/p/{token}/choose", customer.choose, None),
    Route("GET", "/p/{token}/stop", customer.ask_stop, None),
    Route("POST", "/p/{token}/stop", customer.stop, None),
    Route("POST", "/webhooks/twilio/status", webhooks.twilio_status, None),
    Route("POST", "/webhooks/twilio/inbound", webhooks.twilio_inbound, None),
    Route("GET", "/webhooks/{provider}", callbacks.answer_challenge, None),
    Route("POST", "/webhooks/{provider}", callbacks.take, None),
)
PAGES = (
    Route("GET", "/", queue.show_queue, _VIEWER),
    Route("GET", f"/preview/{ID}", queue.show_preview, _VIEWER),
    Route("GET", "/suggest", queue.suggest, _VIEWER),
    Route("GET", "/arrival", queue.show_arrival, _VIEWER),
    Route("GET", "/live", sse.stream, _VIEWER),
    Route("GET", f"/cases/{ID}", case.show_case, _VIEWER),
    Route("GET", f"/cases/{ID}/chart", case.show_chart, _VIEWER),
    Route("GET", "/messages", messages.show_messages, _VIEWER),
    Route("GET", "/devices", devices.show_devices, _VIEWER),
    Route("GET", "/devices/map.json", devices.map_data, _VIEWER),
    Route("GET", "/devices/{id}", devices.show_device, _VIEWER),
    Route("GET", "/offers", lists.show_offers, _VIEWER),
    Route("GET", "/silences", silences.show_silences, _VIEWER),
    Route("GET", "/rejected", lists.show_rejected, _VIEWER),
    Route("GET", "/rules", rules.show_rules, _VIEWER),
    Route("GET", "/rules/{id}", rules.show_rule, _VIEWER),
    Route("GET", "/review", rules.show_review, _VIEWER),
    Route("GET", "/admin", lists.show_admin, _VIEWER),
    Route("GET", "/me", account.show_account, _VIEWER),
    Route("GET", "/me/second-factor", account.begin_second_factor, _VIEWER),
    Route("GET", "/demo", demo.show_demo, _VIEWER),
    Route("GET", "/demo/story", demo.show_story, _VIEWER),
)
DEEDS = (
    Route("POST", "/logout", login.log_out, _VIEWER),
    Route("POST", "/bulk", queue.bulk, _AGENT),
    *(Route("POST", f"/cases/{ID}/{name}", case.act_on_case, _AGENT) for name in CASE_COMMANDS),
    *(Route("POST", f"/messages/{ID}/{name}", messages.act_on_message, _AGENT) for name in MESSAGE_COMMANDS),
    # Everyone who answers customers may pull the brake; letting go again, or dropping what was kept, is for a lead.
    Route("POST", "/hold", messages.hold, _AGENT),
    Route("POST", "/release", messages.release, _LEAD),
    Route("POST", "/silences", silences.create, _AGENT),
    Route("POST", f"/silences/{ID}/end", silences.end, _AGENT),
    Route("POST", "/me/password", account.change_password, _VIEWER),
    Route("POST", "/me/second-factor", account.set_second_factor, _VIEWER),
    Route("POST", "/me/second-factor/drop", account.drop_second_factor, _VIEWER),
    Route("POST", "/me/sessions/end", account.end_sessions, _VIEWER),
    Route("POST", f"/would-be/{ID}/verdict", rules.judge, _AGENT),
    Route("POST", "/rules/{id}/promote", rules.promote, _LEAD),
    Route("POST", "/admin/users", admin.save_user, _ADMIN),
    *(Route("POST", f"/admin/users/{name}", deed, _ADMIN) for name, deed in USER_DEEDS.items()),
    Route("POST", "/admin/tokens", admin.save_token, _ADMIN),
    Route("POST", "/admin/tokens/end", admin.end_token, _ADMIN),
    Route("POST", "/demo/break", demo.break_something, _AGENT),
)
API = (
    Route("GET", "/api/cases", reads.list_cases, _VIEWER),
    Route("GET", f"/api/cases/{ID}", reads.get_case, _VIEWER),
    Route("GET", "/api/devices", reads.list_devices, _VIEWER),
    Route("GET", "/api/devices/unknown", reads.list_unknown, _VIEWER),
    Route("GET", "/api/devices/{id}", reads.get_device, _VIEWER),
    Route("GET", "/api/devices/{id}/explain", reads.explain_device, _VIEWER),
    Route("GET", "/api/messages", reads.list_messages, _VIEWER),
    Route("GET", f"/api/messages/{ID}", reads.get_message, _VIEWER),
    Route("GET", f"/api/messages/{ID}/preview", messages.show_preview_text, _VIEWER),
    Route("GET", "/api/offers/decisions", reads.list_decisions, _VIEWER),
    Route("GET", "/api/rejections", reads.list_rejections, _VIEWER),
    Route("GET", "/api/rules", rules.list_rules, _VIEWER),
    Route("GET", "/api/rules/{id}", rules.get_rule, _VIEWER),
    Route("GET", "/api/review", rules.list_review, _VIEWER),
    Route("GET", "/api/silences", silences.list_silences, _VIEWER),
    Route("GET", "/api/status", reads.get_status, _VIEWER),
    *(Route("POST", f"/api/cases/{ID}/{name}", case.act_on_case, _AGENT) for name in CASE_COMMANDS),
    *(Route("POST", f"/api/messages/{ID}/{name}", messages.act_on_message, _AGENT) for name in MESSAGE_COMMANDS),
    Route("POST", "/api/hold", messages.hold, _AGENT),
    Route("POST", "/api/release", messages.release, _LEAD),
    Route("POST", "/api/silences", silences.create, _AGENT),
    Route("POST", f"/api/silences/{ID}/end", silences.end, _AGENT),
    Route("GET", "/api/users", admin.list_users, _ADMIN),
    Route("POST", f"/api/would-be/{ID}/verdict", rules.judge, _AGENT),
    Route("POST", "/api/rules/{id}/promote", rules.promote, _LEAD),
    Route("POST", "/api/users", admin.save_user, _ADMIN),
    *(Route("POST", f"/api/users/{name}", deed, _ADMIN) for name, deed in USER_DEEDS.items()),
    Route("POST", "/api/tokens", admin.save_token, _ADMIN),
    Route("POST", "/api/tokens/end", admin.end_token, _ADMIN),
    Route("POST", "/api/import/{kind}", writes.upsert, _LEAD),
    Route("POST", "/api/devices/learn", device_deeds.learn, _LEAD),
    Route("POST", "/api/devices/{id}/transfer", device_deeds.transfer, _LEAD),
    Route("POST", "/api/devices/{id}/replace", device_deeds.replace, _LEAD),
    Route("POST", "/api/devices/{id}/contacts", device_deeds.contact, _LEAD),
)
ROUTES = (*PUBLIC, *PAGES, *DEEDS, *API)
