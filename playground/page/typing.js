// Typing a whole command in one go. What a command is, and its fields, are simcord's.

/** A command that is typed through, "/imagine prompt: a heart", is the command, as it is on Discord;
 * simcord's page has it picked from the list first. */
export function typeThrough(commands) {
  const box = document.getElementById("channel-composer-input");
  const form = document.getElementById("channel-composer");
  const key = (target, name) => target.dispatchEvent(
    new KeyboardEvent("keydown", { key: name, bubbles: true, cancelable: true }));
  const input = (target, value) => {
    target.value = value;
    target.dispatchEvent(new Event("input", { bubbles: true }));
  };
  let isSent = false;
  const named = () => box.isConnected && commands.find((name) => box.value.startsWith(`/${name} `)
    || (isSent && box.value === `/${name}`));
  function pick() {
    const name = named();
    if (!name) { isSent = false; return; }
    const typed = box.value;
    input(box, `/${name}`);
    if (form.querySelector(".command-entry")) key(box, "Tab");
    const field = document.activeElement;
    if (box.isConnected) {  // the list is still being fetched
      box.value = typed;
      setTimeout(pick, 50);
      return;
    }
    const rest = typed.slice(name.length + 2);
    const isField = field.matches(".command-option-input");
    if (isField) input(field, rest);
    if (isSent && Boolean(rest) === isField) key(field, "Enter");
    isSent = false;
  }
  box.addEventListener("input", (event) => { if (event.isTrusted) pick(); });
  form.addEventListener("keydown", (event) => {
    if (event.target !== box || event.key !== "Enter" || event.shiftKey || !event.isTrusted) return;
    isSent = true;
    if (!named()) { isSent = false; return; }
    event.preventDefault();
    event.stopImmediatePropagation();
    pick();
  }, { capture: true });
  form.addEventListener("input", ({ target }) => {
    if (!target.matches(".command-option-input")) return;
    const label = `${target.dataset.option}:`;
    target.value = (target.value.startsWith(label) ? target.value.slice(label.length) : target.value).trimStart();
  }, { capture: true });
}
