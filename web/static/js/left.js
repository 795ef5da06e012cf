// Somebody signed out, and it arrived (shell.js): what they recorded and did not send goes from this device. What others
// have not sent stays.
(async () => {
  const LEAVES = "loa:leaves", person = sessionStorage.getItem(LEAVES), asked = new URLSearchParams(location.search);
  if (person && !asked.has("ended") && !asked.has("next")) await loa.store.forgetAll(person);
  sessionStorage.removeItem(LEAVES);
})();
