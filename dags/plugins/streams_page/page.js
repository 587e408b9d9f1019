"use strict";

const EVERY_MS = 5000;
const KEPT = 60; // points of a sparkline: five minutes
const GOOD = new Set(["running", "pass"]);
const WAITING = new Set(["starting", "waiting", "warn"]);

const rates = new Map(); // stream: its last rows per second
let only = null; // on an asset's page: the one table, as layer/name

const number = (value) => (value == null ? "" : Math.round(value).toLocaleString("en"));
const percent = (part, of) => (of ? `${((100 * part) / of).toFixed(1)} %` : "");

function age(when) {
  if (!when) return "";
  const seconds = Math.max(0, Math.round((Date.now() - Date.parse(when)) / 1000));
  for (const [unit, size] of [["d", 86400], ["h", 3600], ["min", 60]])
    if (seconds >= 2 * size) return `${Math.floor(seconds / size)} ${unit} ago`;
  return `${seconds} s ago`;
}

function size(bytes) {
  for (const [unit, of] of [["GB", 2 ** 30], ["MB", 2 ** 20], ["kB", 2 ** 10]])
    if (bytes >= of) return `${(bytes / of).toFixed(1)} ${unit}`;
  return `${bytes} B`;
}

// Text is set, never parsed: names and errors come from data.
function cell(text, kind = "", hint = "") {
  const made = document.createElement("td");
  made.textContent = text ?? "";
  if (kind) made.className = kind;
  if (hint) made.title = hint;
  return made;
}

const word = (text, hint) => cell(text, GOOD.has(text) ? "good" : WAITING.has(text) ? "warn" : text ? "bad" : "", hint);

function sparkline(values) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const line = document.createElementNS(made.namespaceURI, "polyline");
  const top = Math.max(1, ...values);
  made.setAttribute("viewBox", "0 0 90 20");
  made.setAttribute("preserveAspectRatio", "none");
  const x = (index) => 90 - ((values.length - 1 - index) * 90) / (KEPT - 1);
  line.setAttribute("points", values.map((value, index) => `${x(index)},${19 - (18 * value) / top}`).join(" "));
  made.append(line);
  const holder = document.createElement("td");
  holder.append(made);
  return holder;
}

function remembered(stream) {
  const known = rates.get(stream.name) ?? [];
  known.push(stream.rows_per_second ?? 0);
  rates.set(stream.name, known.slice(-KEPT));
  return rates.get(stream.name);
}

function streamRow(stream, look) {
  const contract = look.contracts.find((each) => stream.name === `bronze_${each.name}`);
  const table = contract && look.tables.find((each) => each.layer === "bronze" && each.name === contract.name);
  const row = document.createElement("tr");
  row.append(
    cell(stream.name),
    word(stream.state, stream.last_error || stream.warning),
    cell(number(stream.lag), "number"),
    cell(number(stream.rows_per_second), "number"),
    sparkline(remembered(stream)),
    cell(age(stream.watermark), "number", stream.watermark),
    cell(age(stream.last_commit), "number", stream.last_commit),
    cell(contract ? age(contract.complete_through) || "not proven" : "", "number", contract?.complete_through ?? ""),
    cell(contract ? percent(contract.recent_quarantined, contract.recent_rows) : "", "number"),
    word(table?.gate, table?.gated_at),
  );
  return row;
}

function tableRow(table) {
  const row = document.createElement("tr");
  row.append(
    cell(`${table.layer}.${table.name}`),
    cell(number(table.rows), "number"),
    cell(size(table.bytes), "number"),
    cell(number(table.files), "number"),
    cell(age(table.compacted_at), "number", table.compacted_at),
    word(table.gate, table.gated_at),
  );
  return row;
}

function incidentItem(incident) {
  const made = document.createElement("li");
  const link = document.createElement("a");
  link.href = `runbooks/${incident.runbook.split("/").pop()}`;
  link.textContent = "runbook";
  const mended = incident.mended_at ? ` Restarted ${age(incident.mended_at)}.` : "";
  made.append(`${incident.stream}: ${incident.kind}, ${age(incident.since)}: ${incident.what}.${mended} `, link);
  return made;
}

// What a stream says now stands before what the last look has seen.
function joined(said, looked) {
  const now = new Map(said.map((each) => [each.name, each]));
  const names = new Set([...looked.map((each) => each.name), ...now.keys()]);
  return [...names].map((name) => {
    const seen = looked.find((each) => each.name === name) ?? {};
    const tells = now.get(name) ?? { state: "gone" };
    const { rows_per_second, watermark } = tells;
    // Of a micro-batch that takes long a stream tells only what was behind before it: the look may know of more.
    const lag = tells.behind == null && seen.lag == null ? null : Math.max(tells.behind ?? 0, seen.lag ?? 0);
    return { ...seen, ...tells, name, rows_per_second, lag, watermark: watermark ?? seen.watermark };
  });
}

function show({ streams, look }) {
  const known = look ?? { streams: [], contracts: [], tables: [], incidents: [] };
  const wanted = (layer, name) => !only || only === `${layer}/${name}`;
  const rows = joined(streams, known.streams).filter((each) => wanted("bronze", each.name.replace(/^bronze_/, "")));
  const tables = known.tables.filter((each) => wanted(each.layer, each.name));
  const running = rows.filter((each) => each.state === "running").length;
  document.querySelector("#summary").textContent =
    `${running} of ${rows.length} running; ${look ? `looked at ${age(look.at)}` : "not looked at yet"}`;
  const incidents = known.incidents.filter((each) => wanted("bronze", each.stream.replace(/^bronze_/, "")));
  document.querySelector("#incidents").replaceChildren(...incidents.map(incidentItem));
  document.querySelector("#streams tbody").replaceChildren(...rows.map((each) => streamRow(each, known)));
  document.querySelector("#tables tbody").replaceChildren(...tables.map(tableRow));
}

async function refresh() {
  try {
    const answer = await fetch("data");
    if (!answer.ok) throw new Error(answer.status === 401 ? "log in to Airflow" : `answer ${answer.status}`);
    show(await answer.json());
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
  const asset = new URLSearchParams(location.search).get("asset");
  if (asset) {
    document.body.className = "narrow";
    const { uri } = await (await fetch(`../api/v2/assets/${encodeURIComponent(asset)}`)).json();
    only = (uri ?? "").split(/[/.]/).slice(-2).join("/"); // bronze/rides, or a model's .../silver.stg_rides
  }
  await refresh();
  setInterval(() => { dressed(); refresh(); }, EVERY_MS);
}

begin();
