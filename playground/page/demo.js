// What the demo adds to simcord's page: the list of channels, the restart button, posting a picture,
// and the menu "Apps" of a message. The chat itself, commands, buttons and dialogs are simcord's.

import { typeThrough } from "./typing.js";

const headers = { "X-Simcord-Capability": location.hash.slice(1) };

/** @param {string} path @param {object | FormData} body */
async function post(path, body) {
  const isForm = body instanceof FormData;
  const answer = await fetch(path, {
    method: "POST", body: isForm ? body : JSON.stringify(body),
    headers: isForm ? headers : { ...headers, "Content-Type": "application/json" },
  });
  if (!answer.ok) alert(await answer.text());
}

/** @param {string} tag @param {object} [properties] @param {...(Node | string)} children */
function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

/** Who looks and where, as simcord's page has it now. */
function here() {
  const { contextId, viewerId } = window.simcordPreview;
  return { context_id: contextId, viewer_id: viewerId };
}

function listRooms(rooms) {
  const list = element("nav", { className: "rooms", ariaLabel: "Channels" });
  for (const isDirect of [false, true]) {
    list.append(element("h2", {}, isDirect ? "DIRECT MESSAGES" : "CHANNELS"));
    for (const room of rooms.filter((each) => each.isDirect === isDirect)) {
      const link = element("a", { href: `/#${room.capability}`, title: room.topic },
        element("span", { className: "mark" }, isDirect ? "@" : "#"), room.name);
      if (room.isShown) link.ariaCurrent = "page";
      if (room.isAgeRestricted) link.append(element("span", { className: "age", title: "Age-restricted" }, "18+"));
      list.append(link);
    }
  }
  const restart = element("button", { type: "button", id: "restart-bot" }, "Restart the bot");
  restart.onclick = async () => {
    restart.disabled = true;
    restart.textContent = "Restarting …";
    await post("/limner/restart", {}).finally(() => {
      restart.disabled = false;
      restart.textContent = "Restart the bot";
    });
  };
  document.getElementById("messages-sidebar").append(list, element("div", { className: "about" },
    restart, element("p", {}, "A simulated Discord on this machine: the bot is the real one. The page is made with SimCord.")));
}

function offerPictures() {
  const file = element("input", { type: "file", accept: "image/*", hidden: true, id: "picture-file" });
  const button = element("button",
    { type: "button", className: "picture-button", title: "Post a picture", ariaLabel: "Post a picture" }, "+");
  button.onclick = () => file.click();
  file.onchange = async () => {
    const form = new FormData();
    form.append("viewer_id", here().viewer_id);
    form.append("file", file.files[0], file.files[0].name);
    file.value = "";
    await post("/limner/picture", form);
  };
  document.querySelector(".composer-row").prepend(file, button);
}

function offerApps(menus) {
  let open = null;
  const close = () => { open?.remove(); open = null; };
  document.addEventListener("pointerdown", (event) => { if (!open?.contains(event.target)) close(); });
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") close(); });
  document.addEventListener("contextmenu", (event) => {
    close();
    const message = event.target.closest?.(".channel-message");
    if (!message || !menus.length || window.getSelection().toString()) return;
    event.preventDefault();
    open = element("div", { className: "apps-menu", role: "menu" }, element("span", {}, "Apps"));
    for (const name of menus) {
      const item = element("button", { type: "button", role: "menuitem" }, name);
      item.onclick = () => { close(); post("/limner/menu", { ...here(), name, message_id: message.dataset.messageId }); };
      open.append(item);
    }
    document.body.append(open);
    open.style.left = `${Math.min(event.clientX, innerWidth - open.offsetWidth - 8)}px`;
    open.style.top = `${Math.min(event.clientY, innerHeight - open.offsetHeight - 8)}px`;
    open.querySelector("button").focus();
  });
}

/** Whoever one looked as in one channel, one looks as in the next. */
function keepViewer() {
  const picker = document.getElementById("viewer-picker");
  const wanted = sessionStorage.getItem("viewer");
  const observer = new MutationObserver(() => {
    if (!picker.options.length) return;
    observer.disconnect();
    if (wanted && picker.value !== wanted && [...picker.options].some((option) => option.value === wanted)) {
      picker.value = wanted;
      picker.dispatchEvent(new Event("change"));
    }
  });
  observer.observe(picker, { childList: true });
  picker.addEventListener("change", () => sessionStorage.setItem("viewer", picker.value));
}

/** Who reads the newest message goes on reading the newest, as long as they do not scroll away. */
function followNews() {
  const timeline = document.getElementById("channel-timeline");
  let follows = true;
  let touchedAt = -Infinity;
  for (const kind of ["wheel", "touchmove", "pointerdown", "keydown"]) {
    timeline.addEventListener(kind, () => { touchedAt = performance.now(); }, { passive: true });
  }
  timeline.addEventListener("scroll", () => {
    if (performance.now() - touchedAt > 1000) return;
    follows = timeline.scrollHeight - timeline.scrollTop - timeline.clientHeight < 120;
  }, { passive: true });
  const observer = new ResizeObserver(() => requestAnimationFrame(() => {
    if (follows) timeline.scrollTop = timeline.scrollHeight;
  }));
  observer.observe(document.getElementById("channel-message-list"));
  observer.observe(timeline);
}

document.querySelector(".brand-mark").textContent = "L";
document.querySelector(".preview-brand strong").textContent = "Limner";
document.querySelector(".preview-brand small").textContent = "demo";
document.getElementById("messages-toggle").lastChild.textContent = "Channels";
keepViewer();
followNews();
const world = await (await fetch("/limner/world", { headers })).json();
listRooms(world.rooms);
offerPictures();
offerApps(world.menus);
typeThrough(world.commands);
