// Shows the entries of an event stream, newest first. What an entry says is text, never markup.
"use strict";

/// Entries on the page; the server keeps no more either.
const SHOWN = 200;
/// An older one was not missed, but sent while nobody looked: no notification on the desktop. Milliseconds.
const NEW = 60_000;

const list = document.getElementById("entries");
const state = document.getElementById("state");
const desktop = document.getElementById("desktop");

function link(url, words) {
  if (!/^https?:\/\//.test(url ?? "")) return null;
  const anchor = document.createElement("a");
  anchor.href = url;
  anchor.rel = "noreferrer noopener";
  anchor.textContent = words;
  return anchor;
}

function element(name, text) {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
}

function show(entry) {
  const item = document.createElement("li");
  const title = document.createElement("h2");
  title.append(link(entry.link, entry.title) ?? entry.title);
  const time = element("time", new Date(entry.time).toLocaleString());
  time.dateTime = entry.time;
  item.append(title, time);
  if (entry.text) item.append(element("pre", entry.text));
  const links = [link(entry.settings_link, "Change filter"), link(entry.unsubscribe_link, "Stop these")];
  const there = links.filter((one) => one !== null);
  if (there.length > 0) {
    const foot = document.createElement("p");
    foot.append(...there);
    item.append(foot);
  }
  document.getElementById("empty").hidden = true;
  list.prepend(item);
  while (list.children.length > SHOWN) list.lastChild.remove();
}

function tell(entry) {
  const mayTell = "Notification" in window && Notification.permission === "granted";
  if (!mayTell || Date.now() - Date.parse(entry.sent) > NEW) return;
  const notification = new Notification(entry.title, { body: entry.text, tag: entry.id });
  notification.onclick = () => window.focus();
}

const stream = new EventSource(`${location.pathname.replace(/\/$/, "")}/events`);
stream.onopen = () => { state.textContent = "Live"; };
stream.onerror = () => {
  const over = stream.readyState === EventSource.CLOSED;
  state.textContent = over ? "This stream has ended, or is open in too many windows." : "Connection lost; trying again…";
};
stream.onmessage = (message) => {
  const entry = JSON.parse(message.data);
  show(entry);
  tell(entry);
};

if ("Notification" in window && Notification.permission === "default") {
  desktop.hidden = false;
  desktop.onclick = async () => {
    await Notification.requestPermission();
    desktop.hidden = true;
  };
}
