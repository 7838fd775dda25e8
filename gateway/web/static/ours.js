// Parts of pages, fetched as their reader; whoever was logged out meanwhile is told so instead of shown the way in.

/** Return the answer, or null where there is none to show: no connection, a refusal, or nobody is logged in any more. */
export async function ours(url, options) {
  const answer = await fetch(url, options).catch(() => null);
  if (!answer?.ok) return null;
  const loggedOut = answer.redirected && new URL(answer.url).pathname === "/login";
  if (loggedOut) document.querySelector("[data-logged-out]").hidden = false;
  return loggedOut ? null : answer;
}
