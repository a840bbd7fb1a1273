// Replaces the part of the page that changes by its current state, every second.
const live = document.getElementById("live");

async function refresh() {
  try {
    const answer = await fetch("/live");
    if (answer.ok) {
      const html = await answer.text();
      if (html !== refresh.last) {
        live.innerHTML = html;
        refresh.last = html;
      }
    }
  } finally {
    setTimeout(refresh, 1000);
  }
}

refresh();
