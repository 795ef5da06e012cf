// The calendar of the schedules, where there is room for it. Moving something asks first: what it would change is shown in
// a dialog, and only that is sent. The list below it is the same for keyboards, readers and phones.
(() => {
  const box = document.getElementById("calendar"), ask = document.getElementById("ask"), asked = document.getElementById("asked");
  const wide = matchMedia("(min-width: 900px)");
  if (!box) return;
  const { library, feed, view, day, here, locale, more, failed, leave } = box.dataset;
  let drawn = JSON.parse(box.dataset.drawn), calendar = null, revert = null;
  let last = box.dataset.drawn, held = false;

  const made = (tag, name, text) => Object.assign(document.createElement(tag), { className: name, textContent: text });
  const stamp = (at) => `${at.getFullYear()}-${String(at.getMonth() + 1).padStart(2, "0")}-${String(at.getDate()).padStart(2, "0")}`;
  const clock = (at) => `${String(at.getHours()).padStart(2, "0")}:${String(at.getMinutes()).padStart(2, "0")}`;

  function head(at) {
    const said = drawn.days[stamp(at)], whole = made("span", "day-head", "");
    if (!said) return { domNodes: [whole] };
    if (said.today) whole.classList.add("is-today");
    whole.append(made("b", "", said.said), " ", made("span", "lunar soft", said.lunar));
    for (const note of said.notes) whole.append(made("span", "note", note));
    return { domNodes: [whole] };
  }

  function cell(at) {
    const said = drawn.days[stamp(at)], whole = made("span", "day-head", "");
    if (said?.today) whole.classList.add("is-today");
    whole.append(made("b", "", String(at.getDate())), " ", made("span", "lunar soft", said?.lunar ?? ""));
    for (const note of said?.notes ?? []) whole.append(made("span", "note", note));
    return { domNodes: [whole] };
  }

  function content({ event }) {
    const { hour, said, instead } = event.extendedProps, parts = [];
    if (said) parts.push(made("span", "event-care", "▲ "));
    parts.push(made("span", "event-hour", hour.slice(0, 5)), " ", made("span", "event-title", event.title));
    for (const each of [instead, said]) if (each) parts.push(made("span", "event-said", each));
    const whole = made("span", "event-whole", "");
    whole.append(...parts);
    return { domNodes: [whole] };
  }

  // A drawing with hands on it: hidden from readers, and not on the way of the Tab key, as the list holds all of it.
  function quiet() {
    for (const part of box.querySelectorAll("[tabindex='0']")) part.tabIndex = -1;
  }

  function hours() {
    const starts = drawn.events.map((each) => Number(each.start.slice(11, 13)));
    const ends = drawn.events.map((each) => Math.min(24, Number(each.end.slice(11, 13)) + 1));
    const two = (hour) => `${String(hour).padStart(2, "0")}:00:00`;
    return { slotMinTime: two(Math.min(5, ...starts)), slotMaxTime: two(Math.max(21, ...ends)) };
  }

  // Each time other functions: by that the library knows that they say something else.
  const heads = () => ({ dayHeaderFormat: view === "month" ? { weekday: "short" } : (at) => head(at), dayCellFormat: (at) => cell(at) });

  async function look(path, form, undo) {
    if (revert) return undo(); // one is asked for already
    revert = undo;
    const answer = await window.loa.post(path, { ...form, to: here });
    if (answer.ok) asked.innerHTML = answer.text; // our own fragment, escaped where it was written
    else {
      asked.replaceChildren(made("p", "sentence", failed));
      const close = made("button", "", leave);
      close.dataset.close = "";
      asked.append(close);
    }
    ask.showModal();
    ask.querySelector("h2")?.focus();
  }

  function moved(info) {
    const { schedule, recurrence } = info.event.extendedProps;
    const at = (moment) => `${stamp(moment)}T${clock(moment)}`;
    look(`/schedules/${schedule}/dates/${recurrence}/look`, { local: at(info.event.start), drawn: at(info.oldEvent.start) }, info.revert);
  }

  function resized(info) {
    look(`/schedules/${info.event.extendedProps.schedule}/length/look`, { ends: clock(info.event.end) }, info.revert);
  }

  function draw() {
    box.replaceChildren();
    box.removeAttribute("aria-busy");
    const hint = document.querySelector(".calendar-hint");
    if (hint) hint.hidden = !hint.textContent.trim();
    calendar = window.EventCalendar.create(box, {
      view: view === "month" ? "dayGridMonth" : "timeGridWeek",
      date: day, firstDay: 1, locale, events: drawn.events, headerToolbar: { start: "", center: "", end: "" },
      allDaySlot: false, slotDuration: "01:00:00", snapDuration: "00:15:00", slotHeight: 48, scrollTime: "00:00:00", ...hours(),
      slotLabelFormat: { hour: "2-digit", minute: "2-digit", hour12: false }, eventTimeFormat: { hour: "2-digit", minute: "2-digit", hour12: false },
      ...heads(),
      dayMaxEvents: 4, moreLinkContent: ({ num }) => more.replace("{count}", num),
      eventLongPressDelay: 600, longPressDelay: 600, eventDragMinDistance: 8, nowIndicator: false, eventContent: content,
      slotEventOverlap: false, eventStartEditable: false, eventDurationEditable: false, editable: false,
      eventClick: ({ event }) => location.assign(event.extendedProps.href),
      eventDrop: moved, eventResize: resized,
    });
    new MutationObserver(quiet).observe(box, { childList: true, subtree: true });
    quiet();
  }

  async function again() {
    if (!calendar || revert || ask.open || held) return; // nothing is pulled from under a hand
    const answer = await fetch(feed, { headers: { Accept: "application/json" } }).catch(() => null);
    const said = answer?.ok ? await answer.text() : "";
    if (!said || said === last || held) return;
    last = said;
    drawn = JSON.parse(said);
    for (const [name, value] of Object.entries({ ...hours(), ...heads(), events: drawn.events })) calendar.setOption(name, value);
  }

  function begin() {
    if (calendar || !wide.matches) return;
    // Its place is kept while it is fetched; without it the list below holds all of it.
    box.hidden = false;
    box.setAttribute("aria-busy", "true");
    box.replaceChildren(made("p", "soft", box.dataset.coming));
    const script = Object.assign(document.createElement("script"), { src: library, onload: draw, onerror: () => { box.hidden = true; } });
    document.head.append(script);
  }

  ask.addEventListener("click", (event) => { if (event.target.closest("[data-close]")) ask.close(); });
  ask.addEventListener("close", () => { revert?.(); revert = null; });
  box.addEventListener("loa:look", again);
  box.addEventListener("pointerdown", () => { held = true; });
  for (const over of ["pointerup", "pointercancel"]) addEventListener(over, () => { held = false; });
  wide.addEventListener("change", begin);
  begin();
})();
