// Tells the form which time zone its holder lives in; without it the zone is chosen later, in the settings.
const field = document.querySelector("[data-timezone]");
if (field) field.value = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
