// Uploading a recording: the file goes to the API as it is, with its progress; then the centre's own card takes over.
(() => {
  const box = document.getElementById("upload");
  if (!box) return;
  const file = box.querySelector("input[type=file]");
  const doing = box.querySelector(".doing");
  const bar = box.querySelector("progress");
  const said = box.querySelector(".said");
  const wrong = document.getElementById("upload-wrong");
  const title = document.getElementById("title");
  let request = null;

  function fail(code) {
    const texts = box.querySelector("template").content;
    const text = texts.querySelector(`[data-code="${CSS.escape(code)}"]`) ?? texts.querySelector('[data-code="other"]');
    wrong.textContent = text.textContent;
    wrong.hidden = false;
    file.setAttribute("aria-invalid", "true");
    doing.hidden = true;
    file.value = "";
  }

  function take(id) {
    doing.hidden = true;
    htmx.ajax("GET", `/say/recordings/${encodeURIComponent(id)}`, { target: "#recording", swap: "innerHTML" });
  }

  function answered() {
    let answer = null;
    try { answer = JSON.parse(request.responseText); } catch { /* a proxy's page, not the API's answer */ }
    if (request.status >= 200 && request.status < 300 && answer?.id) take(answer.id);
    else fail(answer?.error?.code ?? "other");
    request = null;
  }

  file.addEventListener("change", () => {
    const chosen = file.files[0];
    if (!chosen) return;
    request?.abort();
    wrong.hidden = true;
    file.removeAttribute("aria-invalid");
    if (chosen.size > Number(box.dataset.most)) return fail("too_large");
    const name = chosen.name.replace(/\.[^.]*$/, "");
    if (!title.value.trim()) title.value = name;
    const query = new URLSearchParams({ title: title.value.trim() || name, file_name: chosen.name, language: "vi" });
    request = new XMLHttpRequest();
    request.open("POST", `${box.dataset.to}?${query}`);
    request.setRequestHeader("Content-Type", chosen.type || "application/octet-stream");
    request.upload.addEventListener("progress", (event) => {
      const share = event.total ? Math.round((event.loaded / event.total) * 100) : 0;
      bar.value = share;
      said.textContent = share < 100 ? box.dataset.sending.replace("{percent}", share) : box.dataset.checking;
    });
    request.addEventListener("load", answered);
    request.addEventListener("error", () => fail("network"));
    bar.value = 0;
    said.textContent = box.dataset.sending.replace("{percent}", 0);
    doing.hidden = false;
    request.send(chosen);
  });
  box.querySelector(".give-up").addEventListener("click", () => {
    request?.abort();
    request = null;
    doing.hidden = true;
    file.value = "";
    file.focus();
  });
  // Whatever card appears, its name is offered as the title, and the sentence of what will happen is made anew.
  document.body.addEventListener("htmx:after:swap", (event) => {
    const card = event.detail.ctx?.target?.id === "recording" && document.querySelector("#recording [data-title]");
    if (!card) return;
    if (!title.value.trim()) title.value = card.dataset.title;
    title.dispatchEvent(new Event("change", { bubbles: true }));
  });
})();
