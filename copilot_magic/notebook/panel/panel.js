// The chat panel's front end. The kernel sends HTML that it has made safe; all else is shown as
// text. `place` is the one function that makes elements of HTML.
//
// Each message from the kernel has a number. A view that has missed one asks for everything again,
// with "hello". Each message to the kernel has an id, which the kernel acknowledges when it takes
// it: while a cell runs, it takes none.

const PATHS = {
  send: "M12 19V5M6 11l6-6 6 6", stop: "M7 7h10v10H7z", add: "M12 5v14M5 12h14",
  copy: "M9 9h11v11H9zM5 15H4V4h11v1", edit: "M4 20h4L19 9l-4-4L4 16z", close: "M6 6l12 12M18 6L6 18",
  retry: "M20 12a8 8 0 1 1-2.3-5.7M20 4v5h-5", undo: "M9 14L4 9l5-5M4 9h10a6 6 0 0 1 0 12h-3",
  attach: "M20 11l-8.5 8.5a5 5 0 0 1-7-7L13 4a3.4 3.4 0 0 1 5 5l-8.5 8.5a1.7 1.7 0 0 1-2.5-2.5L14.500 8",
  next: "M5 4h14v6H5zM12 13v7M8 16l4 4 4-4",
  down: "M12 5v14M6 13l6 6 6-6",
};
const SUGGESTIONS = [
  "Write a function that reads a CSV file and summarises each column",
  "Which plot suits two numeric columns, and how do I draw it?",
  "Explain list comprehensions with three short examples",
];
const PICTURE_SIDE = 1280, PICTURE_BYTES = 4_000_000, FILE_BYTES = 200_000;
const PASTE = "Copied: paste it into a cell";
// A front end adds a cell only while it runs one.
const NEXT_CELL = "No click can add a cell here. It is copied: paste it into one";
const WAIT = "Wait until the answer has ended, or stop it";
const drafts = new WeakMap();
// Milliseconds without an answer after which an idle kernel does not know the panel any more, and
// after which it is to be said that this may be so.
const SILENT = 10_000, UNCLEAR = 20_000;
let count = 0;

function node(tag, className = "", attributes = {}, ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}

function button(name, picture, act, className = "") {
  const made = node("button", `cp-button ${className}`, { type: "button", "aria-label": name, title: name });
  if (picture) made.append(icon(picture));
  else made.textContent = name;
  made.addEventListener("click", act);
  return made;
}

// Add elements made of the kernel's safe HTML at the end of `parent`.
function place(parent, html) {
  const before = parent.lastChild;
  parent.insertAdjacentHTML("beforeend", html);
  const added = [];
  for (let at = before ? before.nextSibling : parent.firstChild; at; at = at.nextSibling) added.push(at);
  return added.filter((one) => one.nodeType === Node.ELEMENT_NODE);
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = node("textarea", "cp-offscreen");
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
}

// A text box with a list to choose from. `choices.seek(text)` asks for options, `show` takes them.
function combobox(label, { seek, choose, free }) {
  const id = `cp-list-${++count}`;
  const input = node("input", "cp-input", {
    role: "combobox", "aria-label": label, "aria-expanded": "false", "aria-controls": id,
    "aria-autocomplete": "list", autocomplete: "off", spellcheck: "false", title: label,
  });
  const list = node("ul", "cp-list", { role: "listbox", id, "aria-label": label });
  list.hidden = true;
  const root = node("div", "cp-combobox", {}, input, list);
  let options = [], active = -1, value = "";
  const mark = (index) => {
    active = index;
    [...list.children].forEach((item, at) => item.setAttribute("aria-selected", String(at === index)));
    if (index >= 0) {
      input.setAttribute("aria-activedescendant", list.children[index].id);
      list.children[index].scrollIntoView({ block: "nearest" });
    } else input.removeAttribute("aria-activedescendant");
  };
  const close = () => {
    list.hidden = true;
    input.setAttribute("aria-expanded", "false");
    input.value = value;
    mark(-1);
  };
  const open = () => {
    if (!list.hidden) return;
    list.hidden = false;
    input.setAttribute("aria-expanded", "true");
    seek("");
  };
  const pick = (option) => {
    close();
    choose(option);
  };
  const show = (found, problem) => {
    options = found;
    list.replaceChildren(...found.map((option, at) => {
      const item = node("li", "cp-option", { role: "option", id: `${id}-${at}`, "aria-selected": "false" });
      item.append(node("span", "cp-label", {}, option.label));
      if (option.detail) item.append(node("span", "cp-detail", {}, option.detail));
      item.addEventListener("click", () => pick(option));
      return item;
    }));
    if (problem) list.append(node("li", "cp-option cp-detail", { role: "option", "aria-disabled": "true", id: `${id}-no` }, problem));
    active = -1;
  };
  input.addEventListener("focus", () => input.select());
  input.addEventListener("click", open);
  input.addEventListener("blur", close);
  input.addEventListener("input", () => { open(); seek(input.value); });
  list.addEventListener("mousedown", (event) => event.preventDefault());
  input.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      if (list.hidden) open();
      else if (options.length) mark((active + (event.key === "ArrowDown" ? 1 : -1) + options.length) % options.length);
    } else if (event.key === "Enter") {
      const typed = input.value.trim();
      if (active >= 0) pick(options[active]);
      else if (free && !list.hidden) pick({ value: typed || null, label: typed });
      else if (!list.hidden && options.length) pick(options[0]);
      else open();
    } else if (event.key === "Escape" && !list.hidden) {
      close();
      event.stopPropagation();
    } else return;
    event.preventDefault();
  });
  return { root, input, show, set(text) { value = text; if (list.hidden) input.value = text; } };
}

class Panel {
  constructor(model, el) {
    this.model = model;
    this.view = `${Date.now().toString(36)}-${Math.random().toString(36).slice(2)}`;
    this.turns = new Map(); // by id
    this.sent = new Map(); // by id: what the kernel has not acknowledged, and since when
    this.pending = new Map(); // by id: prompts that are shown, but not part of the conversation yet
    this.next = null; // the number of the next message
    this.attached = [];
    this.replaces = null;
    this.pinned = true;
    this.gone = false;
    this.build(el);
    this.hear = (message) => this.take(message);
    this.lost = () => {
      this.suspect = true;
      this.tell("hello", { view: this.view });
    };
    model.on("msg:custom", this.hear);
    model.on("comm_live_update", this.lost);
    this.clock = setInterval(() => this.tick(), 500);
    // Here the layout is known; to ask for it after each message would cost a layout each time.
    this.growth = new ResizeObserver(() => this.follow());
    this.growth.observe(this.turnList);
    this.growth.observe(this.log);
    this.sight = new IntersectionObserver((seen) => {
      for (const { target, isIntersecting } of seen) {
        target.turn.near = isIntersecting;
        this.typeset(target.turn);
      }
    }, { root: this.log, rootMargin: "600px" });
    this.tell("hello", { view: this.view });
  }

  close() {
    this.tell("bye", { view: this.view });
    clearInterval(this.clock);
    this.growth.disconnect();
    this.sight.disconnect();
    this.model.off("msg:custom", this.hear);
    this.model.off("comm_live_update", this.lost);
  }

  build(el) {
    const { model } = this;
    this.picker = combobox("Conversation", {
      seek: (text) => this.tell("search", { text }),
      choose: (option) => this.tell("use", { conversation: option.value }),
    });
    this.models = combobox("Model", {
      free: true,
      seek: (text) => (text ? this.showModels(text) : this.tell("models")),
      choose: (option) => this.tell("model", { model: option.value }),
    });
    this.models.input.placeholder = "Server's default";
    const fresh = button("New conversation", "add", () => { this.tell("new"); this.box.focus(); });
    const head = node("div", "cp-head", {}, this.picker.root, fresh, this.models.root);

    this.turnList = node("div", "cp-turns");
    this.empty = node("div", "cp-empty", {}, node("p", "", {}, "What would you like to know?"),
      ...SUGGESTIONS.map((text) =>
        button(text, "", () => { this.box.value = text; this.fit(); this.box.focus(); }, "cp-suggestion")));
    this.log = node("div", "cp-log", { role: "log", "aria-label": "Messages", "aria-busy": "false", tabindex: "0" },
      this.empty, this.turnList);
    this.log.addEventListener("scroll", () => this.scrolled());
    this.jump = button("Jump to latest", "down", () => { this.pinned = true; this.follow(); this.box.focus(); }, "cp-jump");
    this.jump.hidden = true;

    this.notice = node("div", "cp-notice");
    this.notes = node("div", "cp-notes");
    this.box = node("textarea", "cp-box", { "aria-label": "Message", placeholder: "Ask anything", rows: "1" });
    this.box.value = drafts.get(model) || "";
    this.box.addEventListener("input", () => { drafts.set(model, this.box.value); this.fit(); });
    this.box.addEventListener("paste", (event) => this.attach(event.clipboardData, event));
    const file = node("input", "", { type: "file", multiple: "", tabindex: "-1", "aria-hidden": "true" });
    file.hidden = true;
    file.addEventListener("change", () => { this.addFiles([...file.files]); file.value = ""; });
    this.send = button("Send", "send", () => this.ask(), "cp-round");
    this.stop = button("Stop", "stop", () => this.halt(), "cp-round cp-filled");
    this.stop.hidden = true;
    const foot = node("div", "cp-composer", {}, this.notes, this.box,
      node("div", "cp-tools", {}, button("Attach a file", "attach", () => file.click()), file,
        node("span", "cp-space"), this.stop, this.send));
    // A rule, since the outputs that it hides are made anew each time they change.
    const style = node("style");
    style.textContent = `.${CSS.escape(model.get("saved_class"))}{display:none}`;
    this.root = node("section", "copilot-panel", { "aria-label": "Chat", "data-lm-suppress-shortcuts": "true" },
      style, head, node("div", "cp-middle", {}, this.log, this.jump), this.notice, foot);
    this.root.style.height = model.get("height");
    // JupyterLab's shortcuts listen further up.
    this.root.addEventListener("keydown", (event) => this.key(event));
    for (const name of ["keyup", "keypress", "copy", "cut", "paste", "contextmenu"]) {
      this.root.addEventListener(name, (event) => event.stopPropagation());
    }
    this.root.addEventListener("dragover", (event) => { event.preventDefault(); event.stopPropagation(); });
    this.root.addEventListener("drop", (event) => { event.stopPropagation(); this.attach(event.dataTransfer, event); });
    el.append(this.root);
    this.fit();
  }

  // What the user does

  key(event) {
    event.stopPropagation();
    if (event.isComposing || event.keyCode === 229) return;
    if (event.key === "Escape") {
      if (this.replaces) this.endEdit();
      else if (!this.stop.hidden) this.halt();
    } else if (event.key === "Enter" && event.target === this.box && !event.shiftKey) {
      event.preventDefault();
      this.ask();
    }
  }

  tell(kind, content = {}) {
    const id = `${this.view}-${++count}`;
    this.sent.set(id, { kind, since: Date.now() });
    this.model.send({ kind, id, ...content });
    return id;
  }

  ask() {
    const text = this.box.value;
    if (!text.trim() || this.gone || this.reading) return;
    if (!this.stop.hidden) {
      this.say([WAIT]);
      return;
    }
    this.say([]);
    const content = { text, pictures: [], files: [] };
    for (const { kind, name, value } of this.attached) {
      if (kind === "picture") content.pictures.push({ name, url: value });
      else content.files.push({ name, text: value });
    }
    if (this.replaces) content.replaces = this.replaces;
    const id = this.tell("ask", content);
    const names = this.attached.map((thing) => thing.name);
    const turn = this.make({ id, prompt: text, attached: names, facts: [], marks: [], error: [], status: "pending" });
    this.pending.set(id, { turn, text, attached: this.attached });
    this.turnList.append(turn.root);
    this.attached = [];
    this.replaces = null;
    this.fill("");
    this.showNotes();
    this.pinned = true;
    this.update();
    this.follow();
    this.box.focus();
  }

  halt() {
    this.tell("stop");
    this.box.focus();
  }

  edit(turn) {
    if (!this.replaces) this.draft = this.box.value;
    this.replaces = turn.state.id;
    this.fill(turn.state.prompt);
    this.showNotes();
    this.box.focus();
  }

  endEdit() {
    this.replaces = null;
    this.fill(this.draft || "");
    this.showNotes();
    this.box.focus();
  }

  fill(text) {
    this.box.value = text;
    drafts.set(this.model, text);
    this.fit();
  }

  fit() {
    this.box.style.height = "auto";
    this.box.style.height = `${Math.min(this.box.scrollHeight, 200)}px`;
  }

  attach(transfer, event) {
    const files = [...(transfer?.files || [])];
    if (!files.length) return;
    event.preventDefault();
    this.addFiles(files);
  }

  async addFiles(files) {
    this.reading = (this.reading || 0) + 1;
    for (const file of files) {
      try {
        this.attached.push(file.type.startsWith("image/") ? await readPicture(file) : await readText(file));
      } catch (error) {
        this.say([error.message]);
      }
    }
    this.reading -= 1;
    this.showNotes();
    this.box.focus();
  }

  showNotes() {
    const notes = this.attached.map((thing) => node("span", "cp-note", {}, thing.name,
      button(`Remove ${thing.name}`, "close", () => {
        this.attached = this.attached.filter((other) => other !== thing);
        this.showNotes();
        this.box.focus();
      })));
    if (this.replaces) {
      notes.unshift(node("span", "cp-note", {}, "Asks again from an earlier message",
        button("Cancel editing", "close", () => this.endEdit())));
    }
    this.notes.replaceChildren(...notes);
  }

  say(lines) {
    this.notice.replaceChildren();
    if (!lines.length) return;
    this.notice.append(alertOf(lines), button("Dismiss", "close", () => { this.say([]); this.box.focus(); }));
  }

  // What the kernel sends

  take(message) {
    this.suspect = false;
    if (this.gone) this.live();
    if (message.kind === "reset" && (!message.to || message.to === this.view)) {
      this.next = message.n;
    }
    if (this.next === null || message.n < this.next) return;
    if (message.n > this.next) {
      this.next = null;
      this.tell("hello", { view: this.view });
      return;
    }
    this.next += 1;
    if (message.to && message.to !== this.view) return;
    this[`take_${message.kind}`]?.(message);
    this.update();
  }

  take_ack({ id }) {
    this.sent.delete(id);
  }

  take_roll() {
    this.tell("here", { view: this.view });
  }

  take_reset(message) {
    this.turns.clear();
    this.turnList.replaceChildren(...[...this.pending.values()].map(({ turn }) => turn.root));
    this.loading = true;
    this.pinned = true;
    this.take_head(message);
  }

  take_head({ name, model, default_model }) {
    this.picker.set(name);
    this.models.set(model || "");
    this.models.input.placeholder = model === "" ? "Server's default" : default_model || "Server's default";
  }

  take_turns({ turns, after, done }) {
    if (done) this.loading = false;
    const stays = !this.pinned && after === "";
    const height = stays && this.log.scrollHeight, top = stays && this.log.scrollTop;
    let at = after ? this.turns.get(after)?.root : null;
    for (const state of turns) {
      this.unpend(state.asked);
      const turn = this.make(state);
      this.turns.set(state.id, turn);
      if (at) at.after(turn.root);
      else if (after === "") this.turnList.prepend(turn.root);
      at = turn.root;
      this.grow(turn, "reasoning", { html: state.reasoning });
      this.grow(turn, "answer", { html: state.answer });
      this.finish(turn);
    }
    if (stays) this.log.scrollTop = top + this.log.scrollHeight - height;
  }

  take_remove({ id }) {
    this.turns.get(id)?.root.remove();
    this.turns.delete(id);
  }

  take_grow({ id, answer, reasoning }) {
    const turn = this.turns.get(id);
    if (!turn) return;
    turn.waiting = "";
    if (reasoning) this.grow(turn, "reasoning", reasoning);
    if (answer) this.grow(turn, "answer", answer);
  }

  take_waiting({ id, reason, seconds }) {
    const turn = this.turns.get(id);
    if (turn) Object.assign(turn, { waiting: reason, until: Date.now() + 1000 * seconds });
  }

  take_end(state) {
    const turn = this.turns.get(state.id);
    if (!turn) return;
    turn.state = { ...turn.state, ...state };
    this.finish(turn);
  }

  take_refused({ id, lines }) {
    const refused = this.unpend(id);
    if (refused && !this.box.value) {
      this.attached = refused.attached;
      this.fill(refused.text);
      this.showNotes();
    }
    this.say(lines);
  }

  take_notice({ lines }) {
    this.say(lines);
  }

  take_options({ of, options, problem }) {
    if (of === "conversation") this.picker.show(options, options.length ? "" : "No conversation has that in it");
    else {
      this.offered = { options, problem };
      this.showModels("");
    }
  }

  showModels(text) {
    const { options, problem } = this.offered || { options: [] };
    const wanted = text.trim().toLowerCase();
    this.models.show(options.filter((option) => option.label.toLowerCase().includes(wanted)), problem);
  }

  unpend(id) {
    const found = this.pending.get(id);
    found?.turn.root.remove();
    this.pending.delete(id);
    return found;
  }

  // What is shown

  make(state) {
    const said = node("div", "cp-said");
    said.textContent = state.prompt;
    said.dir = "auto";
    const turn = { state, since: Date.now(), waiting: state.waiting || "", until: 0, tails: {} };
    const you = node("article", "cp-you", { "aria-label": "You" }, said);
    if (state.attached.length) you.append(node("div", "cp-attached", {}, state.attached.join(", ")));
    if (state.status !== "pending") {
      you.append(node("div", "cp-actions", {}, button("Edit", "edit", () => this.edit(turn))));
    }
    turn.reasoning = node("div", "cp-settled");
    turn.thoughts = node("details", "cp-reasoning jp-RenderedHTMLCommon", {}, node("summary", "", {}, "Reasoning"),
      node("div", "copilot-answer mathjax_ignore tex2jax_ignore", { dir: "ltr" }, turn.reasoning));
    turn.thoughts.hidden = true;
    turn.answer = node("div", "cp-settled");
    turn.status = node("div", "cp-status");
    turn.footer = node("div", "cp-footer");
    turn.actions = node("div", "cp-actions", {},
      button("Copy", "copy", (event) => this.copied(event, turn.state.source ?? "")),
      button("Retry", "retry", () => { this.tell("retry"); this.box.focus(); }, "cp-last"),
      button("Undo", "undo", () => { this.tell("undo"); this.box.focus(); }, "cp-last"));
    turn.actions.hidden = true;
    turn.assistant = node("article", "cp-assistant", { "aria-label": "Assistant" }, turn.thoughts,
      node("div", "jp-RenderedHTMLCommon", {},
        node("div", "cp-answer copilot-answer mathjax_ignore tex2jax_ignore", { dir: "ltr" }, turn.answer)),
      turn.status, turn.footer, turn.actions);
    turn.root = node("div", "cp-turn", {}, you, turn.assistant);
    turn.root.turn = turn;
    this.sight.observe(turn.root);
    return turn;
  }

  grow(turn, part, { cut, html, keep, tail }) {
    const settled = turn[part];
    if (cut !== undefined) while (settled.children.length > cut) settled.lastElementChild.remove();
    if (html) {
      this.settle(place(settled, html));
      this.typeset(turn);
    }
    if (tail !== undefined) {
      const whole = (turn.tails[part] || "").slice(0, keep) + tail;
      turn.tails[part] = whole;
      turn[`${part}Tail`]?.remove();
      if (whole) {
        turn[`${part}Tail`] = node("div", "cp-tail");
        place(turn[`${part}Tail`], whole);
        settled.after(turn[`${part}Tail`]);
      }
    }
    if (part === "reasoning" && (html || tail)) turn.thoughts.hidden = false;
  }

  // Give code its buttons.
  settle(added) {
    for (const element of added) {
      const blocks = [element, ...element.querySelectorAll(".copilot-code")];
      for (const block of blocks.filter((one) => one.matches(".copilot-code:not(.copilot-more, .copilot-cont)"))) {
        const code = block.querySelector("code");
        if (!code) continue;
        const take = (said) => (event) => this.copied(event, code.textContent, said);
        block.append(node("div", "cp-tools", {},
          button("Put into next cell", "next", take(NEXT_CELL)), button("Copy code", "copy", take(PASTE))));
      }
    }
  }

  // Let the front end set the settled formulas of a turn that is in view, or soon will be, if it can.
  typeset(turn) {
    const typesetter = (this.model.widget_manager?.rendermime ?? this.model.widget_manager?._rendermime)?.latexTypesetter;
    if (!typesetter || !turn.near) return;
    for (const formula of turn.assistant.querySelectorAll(".cp-settled .mathjax_process:not(.cp-set)")) {
      formula.classList.add("cp-set");
      typesetter.typeset(formula);
    }
  }

  async copied(event, text, said = "Copied") {
    const pressed = event.currentTarget;
    await copy(text);
    const told = node("span", "cp-told", { role: "status" }, said);
    pressed.parentElement.querySelector(".cp-told")?.remove();
    pressed.before(told);
    pressed.focus();
    setTimeout(() => told.remove(), 2500);
  }

  finish(turn) {
    const { state } = turn;
    if (state.status === "streaming") return;
    turn.waiting = "";
    turn.actions.hidden = false;
    turn.actions.firstChild.hidden = !state.source;
    turn.status.replaceChildren(...(state.error.length ? [alertOf(state.error)] : []));
    turn.footer.replaceChildren();
    for (const fact of state.facts) turn.footer.append(node("span", "", {}, fact));
    for (const mark of state.marks) turn.footer.append(node("span", "cp-mark", {}, mark));
  }

  // Bring everything that depends on the whole state up to date.
  update() {
    const arriving = [...this.turns.values()].some((turn) => turn.state.status === "streaming");
    const had = this.root.contains(document.activeElement);
    if (arriving !== this.arriving) {
      this.arriving = arriving;
      this.log.setAttribute("aria-busy", String(arriving));
      this.stop.hidden = !arriving;
      this.send.hidden = arriving;
    }
    this.root.classList.toggle("cp-busy", arriving || this.pending.size > 0);
    if (!arriving && this.notice.textContent.startsWith(WAIT)) this.say([]);
    if (had && !this.root.contains(document.activeElement)) this.box.focus();
    const isEmpty = !this.loading && !this.turns.size && !this.pending.size;
    if (this.empty.hidden === isEmpty) this.empty.hidden = !isEmpty;
    this.wait();
  }

  wait() {
    for (const turn of this.turns.values()) {
      if (turn.state.status !== "streaming") continue;
      const left = Math.ceil((turn.until - Date.now()) / 1000);
      const passed = Math.floor((Date.now() - turn.since) / 1000);
      if (!turn.waiting) status(turn.status, "");
      else if (left > 0) status(turn.status, turn.waiting, `next try in ${left} s`);
      else if (Date.now() - turn.since > 400) status(turn.status, turn.waiting, passed ? `${passed} s` : "");
    }
    const kernel = this.model.widget_manager?.kernel;
    const waits = [...this.sent.values()].map(({ since }) => Date.now() - since).filter((passed) => passed > 400);
    const longest = Math.max(0, ...waits);
    let words = "";
    // Not every front end tells what the kernel does.
    if (!kernel && longest > UNCLEAR) words = "The kernel has not answered yet. If it was restarted, run the panel's cell again";
    else if (longest) words = !kernel || kernel.status === "busy" ? "Waiting until the running cell has ended" : "Waiting for the kernel";
    for (const { turn } of this.pending.values()) status(turn.status, words, "");
    const dead = kernel && ["dead", "restarting", "autorestarting", "terminating"].includes(kernel.status);
    const silent = kernel?.status === "idle" && longest > (this.suspect ? 3000 : SILENT);
    if (!this.gone && longest && (dead || silent)) this.die();
  }

  tick() {
    if (this.sent.size || this.root.classList.contains("cp-busy")) this.wait();
  }

  // The kernel does not know this panel any more.
  die() {
    this.gone = true;
    this.say(["The kernel has ended or was restarted, so this panel can ask nothing", "Run its cell again; the conversation is kept"]);
    for (const id of [...this.pending.keys()]) {
      const { text } = this.unpend(id);
      if (!this.box.value) this.fill(text);
    }
    this.sent.clear();
    for (const turn of this.turns.values()) {
      if (turn.state.status !== "streaming") continue;
      turn.state = { ...turn.state, status: "interrupted", marks: ["cut off: the kernel has ended"], error: [] };
      this.finish(turn);
    }
    this.send.disabled = true;
    this.update();
  }

  live() {
    this.gone = false;
    this.send.disabled = false;
    this.say([]);
  }

  scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.log;
    const rest = scrollHeight - clientHeight - scrollTop;
    if (rest < 8) this.pinned = true;
    else if (scrollTop < this.top - 1) this.pinned = false;
    this.top = scrollTop;
    if (this.jump.hidden !== this.pinned) this.jump.hidden = this.pinned;
  }

  follow() {
    if (this.pinned) this.log.scrollTop = this.log.scrollHeight;
    this.top = this.log.scrollTop;
    if (this.jump.hidden !== this.pinned) this.jump.hidden = this.pinned;
  }
}

function status(parent, words, time) {
  const shown = parent.firstElementChild;
  if (!words) {
    if (shown) shown.parentElement.replaceChildren();
    return;
  }
  if (shown?.dataset.words !== words) {
    parent.replaceChildren(node("span", "cp-words", { role: "status", "data-words": words }, words), node("span", "cp-time", { "aria-hidden": "true" }));
  }
  parent.lastElementChild.textContent = time ? ` · ${time}` : "";
}

// An error: what happened, then what to do. Lines that begin with spaces are to be copied.
function alertOf([what, ...ways]) {
  const made = node("div", "cp-alert", { role: "alert" }, node("strong", "", {}, what));
  for (const way of ways.filter(Boolean)) {
    const command = way.startsWith("    ");
    made.append(node("div", "", {}, command ? node("code", "", {}, way.trim()) : way));
  }
  return made;
}

async function readPicture(file) {
  const name = file.name || "picture";
  const bitmap = await createImageBitmap(file).catch(() => { throw new Error(`${name} is not a picture that can be read`); });
  const scale = Math.min(1, PICTURE_SIDE / Math.max(bitmap.width, bitmap.height));
  const canvas = node("canvas");
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  canvas.getContext("2d").drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  let value = canvas.toDataURL("image/png");
  if (value.length > PICTURE_BYTES / 4) {
    const smaller = canvas.toDataURL("image/jpeg", 0.85);
    if (smaller.length < value.length && file.type === "image/jpeg") value = smaller;
    else if (value.length > PICTURE_BYTES) value = smaller;
  }
  if (value.length > PICTURE_BYTES) throw new Error(`${name} is too large`);
  return { kind: "picture", name, value };
}

async function readText(file) {
  if (file.size > FILE_BYTES) throw new Error(`${file.name} has more than ${FILE_BYTES / 1000} kB; attach less of it`);
  try {
    const value = new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer());
    return { kind: "file", name: file.name, value };
  } catch {
    throw new Error(`${file.name} is not a text file`);
  }
}

function render({ model, el }) {
  const panel = new Panel(model, el);
  return () => panel.close();
}

export default { render };
