"use strict";
// Sorts and filters the table, and plays findings. Without scripts the page is complete, and its players work.
(() => {
  const body = document.querySelector("#takes tbody");
  const trouble = document.getElementById("trouble");

  function sortBy(head) {
    const heads = [...head.parentElement.children];
    const column = heads.indexOf(head);
    const rising = head.getAttribute("aria-sort") !== "ascending";
    for (const other of heads) other.setAttribute("aria-sort", "none");
    head.setAttribute("aria-sort", rising ? "ascending" : "descending");
    const key = (row) => row.children[column].dataset.key;
    const compare = (one, two) =>
      column === 0 ? one.localeCompare(two, undefined, { numeric: true }) : Number(one) - Number(two);
    const rows = [...body.rows].sort((one, two) => {
      const [a, b] = [key(one), key(two)];
      if (a === "" || b === "") return (a === "") - (b === ""); // unknown values come last
      return rising ? compare(a, b) : compare(b, a);
    });
    body.append(...rows);
  }

  function filter() {
    const words = document.getElementById("words").value.toLowerCase().split(/\s+/).filter(Boolean);
    const verdict = document.getElementById("verdict").value;
    let shown = 0;
    for (const row of body.rows) {
      const text = row.cells[0].textContent.toLowerCase() + " " + row.cells[row.cells.length - 1].textContent;
      const fits = words.every((word) => text.includes(word)) && (!verdict || row.dataset.verdict === verdict);
      row.hidden = !fits;
      document.getElementById(row.dataset.take).hidden = !fits;
      shown += fits;
    }
    document.getElementById("shown").textContent = `${shown} of ${body.rows.length} takes`;
  }

  // Play from a moment: to the end of the recording, or of a finding's span, at least for a moment.
  const SHORTEST_S = 1.5;

  function play(take, seconds, until = Infinity) {
    const audio = take.querySelector("audio");
    if (!audio) return;
    trouble.textContent = "";
    audio.dataset.until = Math.max(until, seconds + SHORTEST_S);
    const seek = () => { audio.currentTime = seconds; };
    if (audio.readyState) seek();
    else audio.addEventListener("loadedmetadata", seek, { once: true });
    audio.play().catch((error) => {
      if (error.name === "AbortError") return; // another player was started
      trouble.textContent = "It cannot be played: is the recording still where it was, and can this browser play its kind?";
    });
  }

  function unfold(id) {
    const take = id && document.getElementById(id);
    const details = take && take.querySelector("details");
    if (!details) return;
    details.open = true;
    take.scrollIntoView();
    details.querySelector("summary").focus({ preventScroll: true });
  }

  function follow(audio) {
    const take = audio.closest(".take");
    const head = take && take.querySelector(".head");
    if (!head) return; // a player without pictures
    head.hidden = false;
    head.style.left = `${(100 * audio.currentTime) / Number(take.dataset.seconds)}%`;
  }

  document.addEventListener("click", (event) => {
    const head = event.target.closest("th[aria-sort]");
    if (head && event.target.closest("button")) return sortBy(head);
    const take = event.target.closest(".take");
    const place = event.target.closest("[data-at]");
    if (take && place) return play(take, Number(place.dataset.at), Number(place.dataset.until ?? Infinity));
    const plot = event.target.closest(".plot");
    if (take && plot) {
      const box = plot.getBoundingClientRect();
      return play(take, ((event.clientX - box.left) / box.width) * Number(take.dataset.seconds));
    }
    const link = event.target.closest("#takes a");
    if (link) {
      event.preventDefault();
      history.replaceState(null, "", link.hash);
      unfold(link.hash.slice(1));
    }
  });

  function stopAtEnd(audio) {
    if (audio.currentTime < Number(audio.dataset.until ?? Infinity)) return;
    delete audio.dataset.until; // pressing play again continues
    audio.pause();
  }

  document.addEventListener("timeupdate", (event) => stopAtEnd(event.target), true);
  for (const kind of ["timeupdate", "seeked"]) {
    document.addEventListener(kind, (event) => follow(event.target), true); // these events do not bubble
  }
  document.addEventListener("play", (event) => {
    for (const audio of document.querySelectorAll("audio")) if (audio !== event.target) audio.pause();
  }, true);

  if (body) {
    const form = document.querySelector(".filter");
    form.addEventListener("submit", (event) => event.preventDefault());
    for (const kind of ["input", "change"]) form.addEventListener(kind, filter);
    filter();
  }
  let folded = [];
  addEventListener("beforeprint", () => {
    folded = [...document.querySelectorAll(".take > details:not([open])")];
    for (const details of folded) details.open = true;
  });
  addEventListener("afterprint", () => {
    for (const details of folded) details.open = false;
  });
  addEventListener("hashchange", () => unfold(location.hash.slice(1)));
  unfold(location.hash.slice(1));
})();
