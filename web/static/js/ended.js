// A sign-in came between: what was open or sent when the session ended is given back, see draft.js.
const asked = new URLSearchParams(location.search);
if (asked.has("ended") || asked.has("next")) sessionStorage.setItem("loa:ended", "yes");
