"use strict";

const EVERY_MS = 30000;

let minutes = 0;
let round = 0; // a newer one makes an older one stop
let panels = [];

async function asked(path) {
  const answer = await fetch(path);
  if (answer.ok) return answer.json();
  const told = answer.status === 401 ? "log in to Airflow" : (await answer.json().catch(() => ({}))).detail;
  throw new Error(told ?? `answer ${answer.status}`);
}

function alertItem(alert) {
  const { severity, ...labels } = alert.labels;
  const where = Object.entries(labels).map(([name, value]) => `${name} ${value}`).join(", ");
  const made = element("li", { class: severity, title: where }, element("b", {}, alert.summary), ` ${alert.description} `);
  made.append(element("a", { href: `../streams/runbooks/${alert.runbook.split("/").pop()}` }, "runbook"));
  return made;
}

function place() {
  const sections = new Map();
  for (const panel of panels) {
    const figure = element("figure", { id: panel.key }, element("h3", {}, panel.title), element("div", { class: "empty" }, "…"));
    if (!sections.has(panel.section)) sections.set(panel.section, []);
    sections.get(panel.section).push(figure);
  }
  const made = [...sections].map(([title, figures]) =>
    element("section", {}, element("h2", {}, title), element("div", { class: "charts" }, ...figures)),
  );
  document.querySelector("#sections").replaceChildren(...made);
}

const named = (span) => (span < 60 ? `${span} min` : span <= 1440 ? `${span / 60} h` : `${span / 1440} d`);

function offerTimes(choices) {
  const buttons = choices.map((choice) => {
    const made = element("button", { type: "button", "aria-pressed": choice === minutes }, named(choice));
    made.addEventListener("click", () => {
      minutes = choice;
      for (const each of buttons) each.setAttribute("aria-pressed", each === made);
      refresh();
    });
    return made;
  });
  document.querySelector("#times").replaceChildren(...buttons);
}

async function refresh() {
  const mine = ++round;
  try {
    const alerts = await asked("alerts");
    document.querySelector("#alerts").replaceChildren(...alerts.map(alertItem));
    for (const panel of panels) {
      const chart = await asked(`panels/${panel.key}?minutes=${minutes}`);
      if (mine !== round) return;
      const figure = document.getElementById(panel.key);
      if (!figure.matches(":hover") || figure.querySelector(".empty"))
        figure.replaceChildren(figure.firstChild, ...chartOf(chart, panel.unit));
    }
    const said = alerts.length === 1 ? "1 alert fires" : `${alerts.length || "no"} alerts fire`;
    document.querySelector("#summary").textContent = `${said}; as of ${clock(Date.now() / 1000, false)}`;
  } catch (error) {
    document.querySelector("#summary").textContent = `nothing new: ${error.message}`;
  }
}

// Airflow's frame has a switch of its own for dark and light.
function dressed() {
  document.documentElement.classList.toggle("dark", parent.document.documentElement.classList.contains("dark"));
}

async function begin() {
  dressed();
  try {
    const offered = await asked("panels");
    panels = offered.panels;
    minutes = offered.shown;
    offerTimes(offered.minutes);
    place();
  } catch (error) {
    document.querySelector("#summary").textContent = `nothing to show: ${error.message}`;
    return;
  }
  await refresh();
  setInterval(() => { dressed(); refresh(); }, EVERY_MS);
}

begin();
