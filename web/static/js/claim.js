// Whoever scanned the code that a new node shows comes with it in the fragment of the address: it goes into the form, and
// out of the address. No server has seen it on the way.
const found = /^#code=([0-9A-Za-z-]{1,20})$/.exec(location.hash), field = document.getElementById("code");
if (found && field) {
  field.value = found[1];
  field.closest("details").open = true;
  history.replaceState(null, "", location.pathname + location.search);
  field.form.scrollIntoView();
}
