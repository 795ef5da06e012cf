// Adds a release: reads what was signed of it out of its small file, sends the bundle with it, and says how far it is.
// The centre takes it whole or not at all: what breaks off is sent anew.
(() => {
  const form = document.getElementById("release");
  if (!form) return;
  const MOST_SIGNED = 2048; // characters, as the centre takes them
  const TOKEN = /^[\w-]+\.[\w-]+\.[\w-]+$/;
  const { bundle, signed } = form.elements;
  const doing = form.querySelector(".doing"), bar = form.querySelector("progress"), said = form.querySelector(".said");
  const go = form.querySelector(".main"), wrong = (field) => document.getElementById(`${field?.id ?? "release"}-wrong`);
  let sending = null;

  function fail(code, field = null) {
    const words = (each) => form.querySelector("template").content.querySelector(`[data-code="${CSS.escape(each)}"]`);
    end();
    wrong(field).textContent = (words(code) ?? words("other")).textContent;
    wrong(field).hidden = false;
    field?.setAttribute("aria-invalid", "true");
    (field ?? go).focus();
  }

  function end() {
    sending = null;
    doing.hidden = true;
    go.disabled = false;
  }

  function show(words, share) {
    if (share === undefined) bar.removeAttribute("value"); else bar.value = share;
    said.textContent = words.replace("{percent}", share);
  }

  function answered(asked) {
    if (asked !== sending) return;
    if (asked.status === 201) return location.assign(form.dataset.done);
    let error = {};
    try { error = JSON.parse(asked.responseText).error ?? {}; } catch { /* a proxy's page, not the centre's answer */ }
    fail(error.fields?.problem === "expired" ? "expired" : error.code ?? "other");
  }

  function send(token) {
    const asked = new XMLHttpRequest(), { sending: words, checking } = form.dataset;
    sending = asked;
    doing.hidden = false;
    show(words, 0);
    asked.upload.onprogress = ({ loaded, total }) => { if (asked === sending) show(words, Math.floor((loaded / total) * 100)); };
    asked.upload.onload = () => { if (asked === sending) show(checking); };
    asked.onload = () => answered(asked);
    asked.onerror = () => { if (asked === sending) fail("network"); };
    asked.open("POST", `${form.dataset.to}?release=${encodeURIComponent(token)}`);
    asked.send(bundle.files[0]);
  }

  for (const field of [bundle, signed]) {
    const name = document.getElementById(`${field.id}-chosen`);
    const tell = () => { name.textContent = field.files[0]?.name ?? ""; };
    field.addEventListener("change", tell);
    tell(); // what the browser put back into the form
  }

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (go.disabled) return;
    for (const each of form.querySelectorAll(".wrong")) each.hidden = true;
    for (const field of [bundle, signed]) field.removeAttribute("aria-invalid");
    if (!bundle.files[0]) return fail("no_bundle", bundle);
    if (!signed.files[0]) return fail("no_signed", signed);
    if (bundle.files[0].size > Number(form.dataset.most)) return fail("too_large", bundle);
    go.disabled = true;
    const token = (await signed.files[0].slice(0, MOST_SIGNED + 2).text()).trim();
    if (token.length > MOST_SIGNED || !TOKEN.test(token)) return fail("not_signed", signed);
    send(token);
  });

  form.querySelector(".give-up").addEventListener("click", () => {
    sending?.abort();
    end();
    go.focus();
  });
})();
