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
  let offered = ""; // the title as we filled it in; what a person typed stays

  // The most exact words there are: for this fault of this field, else for the error, else for any.
  function fail(code, { field, problem } = {}) {
    const texts = box.querySelector("template").content;
    const said = (each) => texts.querySelector(`[data-code="${CSS.escape(each)}"]`);
    wrong.textContent = (said(`${code}_${field}_${problem}`) ?? said(code) ?? said("other")).textContent;
    wrong.hidden = false;
    file.setAttribute("aria-invalid", "true");
    doing.hidden = true;
    file.value = "";
  }

  function offer(name) {
    if (title.value.trim() && title.value !== offered) return;
    title.value = offered = name;
  }

  function take(id) {
    doing.hidden = true;
    htmx.ajax("GET", `/say/recordings/${encodeURIComponent(id)}`, { target: "#recording", swap: "innerHTML" });
  }

  function answered() {
    let answer = null;
    try { answer = JSON.parse(request.responseText); } catch { /* a proxy's page, not the API's answer */ }
    if (request.status >= 200 && request.status < 300 && answer?.id) take(answer.id);
    else fail(answer?.error?.code ?? "other", answer?.error?.fields ?? {});
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
    offer(name);
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
    offer(card.dataset.title);
    title.dispatchEvent(new Event("change", { bubbles: true }));
  });
})();
