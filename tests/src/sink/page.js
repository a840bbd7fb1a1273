// Replaces the changing part of the page by what the server renders of it now.
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
