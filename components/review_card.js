// One example at a time. Every press names the example and the version that were on the screen, and stays in an outbox until
// the server has said what became of it: no press is lost, none lands on another example. The next ones are here already, so
// the card changes at once. What is typed or chosen is kept in this browser until it was saved.

const AGAIN_MS = 5000;
// Presses the server has not answered, for each deck: a card that is drawn anew in another place goes on with them.
const outboxes = new Map();

const KEYS = { a: "accept", x: "reject", s: "skip", u: "undo", e: "edit", l: "choose" };

function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "onclick") node.addEventListener("click", value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value != null) node.setAttribute(name, value);
  }
  node.append(...children); // strings become text nodes: nothing from a document is ever parsed as HTML
  return node;
}

const draftKey = (state, card) => `ayar-draft:${state.project}:${card.id}`;

function readDraft(state, card) {
  try {
    return JSON.parse(localStorage.getItem(draftKey(state, card)));
  } catch {
    return null;
  }
}

function writeDraft(state, card, draft) {
  try {
    if (draft) localStorage.setItem(draftKey(state, card), JSON.stringify(draft));
    else localStorage.removeItem(draftKey(state, card));
  } catch {
    // A full or forbidden store costs the draft of a reload, not the work.
  }
}

function button(state, action, text, key, kind = "") {
  const { labels } = state.data;
  const hint = make("kbd", { "aria-hidden": true }, key);
  return make(
    "button",
    { type: "button", class: kind, "data-action": action, "aria-keyshortcuts": key, title: `${text} (${labels.key} ${key})`,
      onclick: () => act(state, action) },
    make("span", {}, text), hint,
  );
}

const typed = (state) => Object.fromEntries(Object.entries(state.boxes).map(([name, box]) => [name, box.value]));

function keepDraft(state, card) {
  const values = typed(state);
  const same = card.fields.every((one) => values[one.name] === one.value);
  writeDraft(state, card, same ? null : { values, version: card.version });
  note(state);
}

// A number with a slider beside it: the box holds the value as it is, however fine, and the slider moves in steps.
function scale(box, one) {
  const slider = make("input", { type: "range", min: one.range.lowest, max: one.range.highest, step: one.range.step, "aria-hidden": true, tabindex: "-1" });
  slider.value = box.value;
  slider.addEventListener("input", () => {
    box.value = slider.value;
    box.dispatchEvent(new Event("input"));
  });
  box.addEventListener("input", () => (slider.value = box.value));
  return make("span", { class: "scale" }, box, slider);
}

const SQL = /('(?:[^']|'')*')|(--.*)|\b(select|from|where|group|by|having|order|limit|offset|join|left|right|inner|outer|cross|on|as|and|or|not|in|is|null|like|between|exists|union|all|except|intersect|distinct|case|when|then|else|end|with|asc|desc|cast|count|sum|avg|min|max|create|table|primary|foreign|key|references|unique|default|check|text|varchar|integer|int|real|numeric|date|datetime|boolean|blob)\b|\b(\d+(?:\.\d+)?)\b/gi;

function coloured(text) {
  const parts = [];
  let at = 0;
  for (const found of text.matchAll(SQL)) {
    const kind = found[1] ? "string" : found[2] ? "comment" : found[3] ? "keyword" : "number";
    parts.push(text.slice(at, found.index), make("span", { class: `sql-${kind}` }, found[0]));
    at = found.index + found[0].length;
  }
  return [...parts, text.slice(at)];
}

function field(state, card, one) {
  const draft = readDraft(state, card)?.values?.[one.name];
  const common = { "data-field": one.name, "aria-label": one.label };
  const box = one.options
    ? make("select", { ...common, "aria-keyshortcuts": "L 1 2 3 4 5 6 7 8 9" },
      ...one.options.map(([value, title], at) => make("option", { value }, at < 9 ? `${at + 1}  ${title}` : title)))
    : one.range
      ? make("input", { ...common, type: "number", step: "any", min: one.range.lowest, max: one.range.highest })
      : make("textarea", { ...common, rows: 2, class: one.is_code ? "code" : "", spellcheck: !one.is_code && "true", maxlength: one.is_code ? 200000 : 20000 });
  box.value = draft ?? one.value;
  box.addEventListener("input", () => {
    keepDraft(state, card);
    grow(box);
  });
  state.boxes[one.name] = box;
  return make("label", { class: "field" }, make("span", { class: "name" }, one.label), one.range ? scale(box, one) : box);
}

// Number keys name the first nine options of the card's choice, L goes to the list of all of them.
function choose(state, position) {
  const card = state.cards[0];
  const one = card?.fields.find((each) => each.options);
  if (!one) return false;
  const box = state.boxes[one.name];
  if (position === undefined) box.focus();
  else if (position < one.options.length) {
    box.value = one.options[position][0];
    keepDraft(state, card);
  }
  return true;
}

function grow(box) {
  if (box.tagName !== "TEXTAREA") return;
  box.style.height = "auto";
  if (box.scrollHeight) box.style.height = `${Math.min(box.scrollHeight + 2, 320)}px`;
}

function passage(state, one) {
  const { labels } = state.data;
  const text = make("div", { class: "text", tabindex: "0", role: "region", "aria-label": labels.passage }, ...(one.is_sql ? coloured(one.before) : [one.before]));
  if (one.is_code || one.is_sql) text.classList.add("code");
  if (one.marked) text.append(make("mark", { title: labels.evidence }, one.marked), one.after);
  const head = make("div", { class: "source" }, make("span", { class: "document" }, one.document));
  if (one.heading) head.append(make("span", { class: "heading" }, one.heading));
  if (one.note) head.append(make("span", { class: "grade" }, one.note));
  const shown = make("section", { class: "passage" }, head, text);
  if (one.quote) {
    shown.append(make("div", { class: "source" }, make("span", {}, `${labels.quote}: `), make("q", {}, one.quote)));
  }
  return shown;
}

function note(state) {
  const card = state.cards[0];
  const { labels } = state.data;
  const draft = card && readDraft(state, card);
  const said = [];
  if (state.problem) said.push(state.problem);
  if (draft && draft.version !== card.version) said.push(labels.stale_draft);
  else if (draft) said.push(labels.draft);
  state.note.replaceChildren(...said.map((text) => make("p", {}, text)));
  state.note.classList.toggle("problem", Boolean(state.problem) || (draft && draft.version !== card.version));
}

function progress(state) {
  const { data } = state;
  const bar = make("progress", { max: Math.max(data.total, 1), "aria-label": data.progress });
  bar.value = data.done;
  return make("div", { class: "progress" }, bar, make("span", {}, data.progress), make("span", { class: "pace" }, data.pace));
}

function draw(state) {
  const { data, root } = state;
  const { labels } = data;
  const card = state.cards[0];
  const typing = root.contains(root.getRootNode().activeElement) && root.getRootNode().activeElement?.dataset?.field;
  const selection = typing ? [state.boxes[typing]?.selectionStart, state.boxes[typing]?.selectionEnd] : null;
  const sameCard = state.shown && card && state.shown.id === card.id && state.shown.version === card.version;
  state.note = make("div", { class: "note", role: "status" });
  if (!card) {
    const waiting = state.outbox.length > 0;
    const undo = data.can_undo && !waiting ? [make("div", { class: "actions" }, button(state, "undo", labels.undo, "U"))] : [];
    root.replaceChildren(
      progress(state), state.note,
      make("div", { class: "empty" }, make("p", {}, waiting ? labels.loading : labels.empty)), ...undo,
    );
    state.shown = null;
    note(state);
    return;
  }
  const facts = make("div", { class: "facts" }, make("span", { class: `state ${card.state}` }, card.state_text));
  for (const fact of card.facts) facts.append(make("span", {}, fact));
  state.boxes = {};
  const fields = card.fields.map((one) => field(state, card, one));
  const alike = make("button", { type: "button", class: "quiet", "data-action": "alike", onclick: () => act(state, "alike") }, labels.alike);
  root.replaceChildren(
    progress(state),
    make("div", { class: "card" },
      make("div", { class: "side" }, facts, ...fields, state.note,
        make("div", { class: "actions" },
          button(state, "accept", labels.accept, "A", "primary"), button(state, "reject", labels.reject, "X", "refuse"),
          button(state, "edit", labels.edit, "E"), button(state, "skip", labels.skip, "S"), button(state, "undo", labels.undo, "U")),
        ...(data.can_alike ? [alike] : []),
        make("p", { class: "hint" }, labels.hint)),
      make("div", { class: "passages" }, ...card.passages.map((one) => passage(state, one)))),
  );
  Object.values(state.boxes).forEach(grow);
  state.shown = card;
  note(state);
  if (typing && sameCard) {
    state.boxes[typing].focus();
    state.boxes[typing].setSelectionRange?.(...selection);
  }
  const mark = root.querySelector("mark");
  const box = mark?.closest(".text");
  if (box) box.scrollTop = Math.max(0, mark.offsetTop - box.offsetTop - 60);
}

function act(state, action) {
  const card = state.cards[0];
  if (action === "choose") {
    choose(state);
    return;
  }
  if (action === "edit") {
    Object.values(state.boxes)[0]?.focus();
    return;
  }
  // While an undo is on its way nobody can know what comes next.
  if (state.outbox.some((sent) => sent.action === "undo")) return;
  if (action === "undo" ? !(state.data.can_undo || state.outbox.length) : !card) return;
  state.problem = "";
  const sent = { n: ++state.number, session: state.data.session, action };
  if (action === "undo") state.cards = [];
  else if (action === "alike") sent.id = card.id;
  else {
    Object.assign(sent, { id: card.id, seq: card.seq, version: card.version });
    if (action !== "skip") sent.values = typed(state);
    state.cards = state.cards.slice(1);
    state.data.done += action === "skip" ? 0 : 1;
  }
  state.outbox.push(sent);
  document.activeElement?.blur?.();
  dispatch(state);
  draw(state);
}

// What was sent may be lost on its way (a connection that breaks, a page that is drawn anew): it is said again until it is answered.
function dispatch(state) {
  outboxes.set(state.data.deck, state.outbox);
  clearTimeout(state.timer);
  if (!state.outbox.length) return;
  state.send("outbox", state.outbox.map((one) => ({ ...one })));
  state.timer = setTimeout(() => {
    for (const one of state.outbox) one.again = (one.again ?? 0) + 1; // the same words twice would not be heard
    if (state.root.isConnected) dispatch(state);
  }, AGAIN_MS);
}

function settle(state) {
  const { data } = state;
  const failed = new Map(data.failed.map((one) => [one.n, one]));
  state.problem = "";
  if (state.outbox.some((one) => one.session !== data.session)) {
    // The server was restarted and has not answered: say it again, but for an undo, which must not happen twice.
    state.outbox = state.outbox.filter((one) => one.action !== "undo");
    for (const one of state.outbox) one.session = data.session;
    dispatch(state);
  }
  for (const sent of state.outbox.filter((one) => one.n <= data.acked)) {
    if (failed.has(sent.n)) {
      // What was typed comes back with the example as it is now.
      writeDraft(state, sent, sent.values ? { values: sent.values, version: sent.version } : null);
      state.problem = failed.get(sent.n).message;
    } else if (sent.id && !["skip", "alike"].includes(sent.action)) writeDraft(state, sent, null);
  }
  state.outbox = state.outbox.filter((one) => one.n > data.acked);
  const gone = new Set(state.outbox.filter((one) => one.action !== "alike").map((one) => one.id));
  state.cards = state.outbox.some((one) => one.action === "undo") ? [] : data.cards.filter((card) => !gone.has(card.id));
}

function pressed(state, event) {
  const target = event.composedPath()[0];
  const inField = target?.matches?.("input, textarea, select, [contenteditable='true'], [role='combobox']");
  const mine = state.root.contains(target);
  if (inField && mine && event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    act(state, "accept");
    return;
  }
  if (inField && mine && event.key === "Escape") {
    target.blur();
    return;
  }
  if (inField || event.ctrlKey || event.metaKey || event.altKey || event.repeat || event.isComposing) return;
  if (document.querySelector("[role='dialog']")) return;
  if (/^[1-9]$/.test(event.key)) {
    if (choose(state, Number(event.key) - 1)) event.preventDefault();
    return;
  }
  const action = KEYS[event.key.toLowerCase()];
  if (!action || (action === "choose" && !state.cards[0]?.fields.some((one) => one.options))) return;
  event.preventDefault();
  act(state, action);
}

export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".ayar-review");
  const isDrawnAnew = !root.ayar;
  const state = (root.ayar ??= { root, outbox: outboxes.get(data.deck) ?? [], cards: [], boxes: {}, number: Date.now() });
  const anew = state.project !== data.project || state.filter !== data.filter;
  if (anew && state.project) state.outbox = state.outbox.filter((one) => one.n > data.acked && state.project === data.project);
  Object.assign(state, { data: { ...data }, project: data.project, filter: data.filter, send: setStateValue });
  settle(state);
  outboxes.set(data.deck, state.outbox);
  if (isDrawnAnew) dispatch(state);
  draw(state);
  if (state.listener) document.removeEventListener("keydown", state.listener);
  state.listener = (event) => pressed(state, event);
  document.addEventListener("keydown", state.listener);
  return () => {
    document.removeEventListener("keydown", state.listener);
  };
}
