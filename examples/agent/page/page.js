// SPDX-License-Identifier: Apache-2.0
"use strict";

// What is shown comes from keys that anybody may write: it is only ever set as text.

const most = 60; // ports drawn of a network, the wrong ones first; also lines of a table
const $ = (id) => document.getElementById(id);

function put(parent, name, text, attrs = {}) {
  const svg = parent.namespaceURI === "http://www.w3.org/2000/svg" || name === "svg";
  const e = svg ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
  for (const [k, v] of Object.entries(attrs)) e.setAttribute(k, v);
  if (text !== undefined && text !== null) e.textContent = text;
  parent.append(e);
  return e;
}

const short = (s, n) => (s.length > n ? s.slice(0, n - 1) + "…" : s);
const ago = (t) => {
  const s = Math.max(0, (Date.now() - new Date(t)) / 1000);
  return s < 90 ? `${Math.round(s)} s` : s < 5400 ? `${Math.round(s / 60)} min` : s < 130000 ? `${Math.round(s / 3600)} h` : `${Math.round(s / 86400)} d`;
};
const rank = { failing: 0, invalid: 1, blocked: 2, pending: 3, applied: 4 };
const worstFirst = (a, b) => (rank[a.state] ?? 0) - (rank[b.state] ?? 0) || (a.name < b.name ? -1 : 1);

function header(s) {
  $("host").textContent = s.host;
  document.title = s.host + " · vppkit agent";
  const conditions = Object.values(s.conditions ?? {}).map((c) => c.error);
  const amiss = [...new Set([...(s.vpp ? [] : ["VPP is away"]), ...(s.etcd_error ? [s.etcd_error] : []), ...(s.vpp_lacks ?? []), ...conditions])];
  if (s.held_back) amiss.push(`held back: ${s.held_back.error} — agent confirm ${s.held_back.token}`);
  for (const u of s.uplinks ?? []) if (u.error) amiss.push(`${u.name}: ${u.error}`);
  for (const u of s.unserved ?? []) amiss.push(`${u.name}: ${u.error}`);
  const wrong = [...(s.ports ?? []), ...(s.routers ?? [])].filter((p) => p.error).length;
  const state = $("state");
  state.className = s.converged_since && !amiss.length && !wrong ? "good" : amiss.length || wrong ? "bad" : "work";
  state.textContent = (s.converged_since ? `as wanted for ${ago(s.converged_since)}` : "not as wanted yet") + (wrong ? `, ${wrong} wrong` : "");
  $("facts").replaceChildren();
  const objects = s.objects ?? [];
  for (const fact of [s.vpp || "no VPP", s.etcd_error ? "etcd is not heard" : "etcd is followed", `${(s.ports ?? []).length} ports`, `${(s.routers ?? []).length} keys of routers`,
    `${objects.filter((o) => o.state === "applied").length} of ${objects.length} objects as wanted`]) put($("facts"), "li", fact);
  $("amiss").hidden = !amiss.length;
  const list = $("amiss").querySelector("ul");
  list.replaceChildren();
  for (const why of amiss.slice(0, most)) put(list, "li", why);
}

// picture draws each network between its uplink and what is in it.
function picture(s) {
  const nets = new Map();
  const of = (name) => {
    if (!nets.has(name)) nets.set(name, { name, members: [] });
    return nets.get(name);
  };
  for (const p of s.ports ?? []) of(p.network || "").members.push({ ...p, sort: "port" });
  for (const r of s.routers ?? []) of(r.network || "").members.push({ ...r, sort: r.name.startsWith("floatingip/") ? "floating IP" : "router" });
  const box = $("picture");
  if (!nets.size) {
    box.replaceChildren();
    put(box, "p", "No ports, and no routers.");
    return;
  }
  const links = new Map((s.objects ?? []).filter((o) => o.key.startsWith("link/")).map((o) => [o.key.slice(5), o]));
  const bridges = new Map((s.objects ?? []).filter((o) => o.key.startsWith("bridge-domain/")).map((o) => [o.key.slice(14), o]));
  const all = [...nets.values()].sort((a, b) => (a.name === "") - (b.name === "") || (a.name < b.name ? -1 : 1));
  const row = 34, width = 1060, xNet = 250, xMember = 540;
  const uplinks = new Map();
  let y = 10, rows = [];
  for (const n of all) {
    n.members.sort(worstFirst);
    const shown = n.members.slice(0, most);
    n.y = y;
    n.height = Math.max(1, shown.length + (n.members.length > most ? 1 : 0)) * row;
    shown.forEach((m, i) => rows.push({ ...m, y: y + i * row, net: n }));
    if (n.members.length > most) rows.push({ name: `and ${n.members.length - most} more`, state: "", more: true, y: y + most * row, net: n });
    n.mid = n.y + n.height / 2;
    y += n.height + 16;
    if (n.name) {
      const up = n.name.split(".")[0];
      if (!uplinks.has(up)) uplinks.set(up, []);
      uplinks.get(up).push(n);
    }
  }
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", `0 0 ${width} ${y}`);
  svg.setAttribute("width", width);
  svg.setAttribute("height", y);
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", "uplinks, networks, and the ports and routers in them");
  const wire = (x1, y1, x2, y2) => put(svg, "path", null, { d: `M${x1} ${y1} C${(x1 + x2) / 2} ${y1} ${(x1 + x2) / 2} ${y2} ${x2} ${y2}` });
  const known = new Map((s.uplinks ?? []).map((u) => [u.name, u]));
  const placed = [...uplinks].map(([name, of]) => ({ name, of, state: known.get(name)?.state ?? "", interface: known.get(name)?.network ?? "overlay", y: of.reduce((a, n) => a + n.mid, 0) / of.length }));
  for (const u of placed) for (const n of u.of) wire(160, u.y, xNet, n.mid);
  for (const m of rows) if (m.net.name) wire(xNet + 230, m.net.mid, xMember, m.y + row / 2);
  const card = (x, y, w, kind, state, title, under) => {
    const g = put(svg, "g", null, { class: state });
    put(g, "rect", null, { x, y: y - 20, width: w, height: 40, class: kind });
    put(g, "circle", null, { cx: x + 14, cy: y - 4, r: 4.5 });
    put(g, "text", short(title, Math.floor((w - 30) / 7)), { x: x + 26, y });
    put(g, "text", under, { x: x + 26, y: y + 14, class: "small" });
    put(g, "title", title);
  };
  for (const u of placed) card(10, u.y, 150, "up", u.state, u.name, u.interface);
  for (const n of all) {
    if (!n.name) {
      put(svg, "text", "in no network", { x: xNet + 26, y: n.mid, class: "small" });
      continue;
    }
    const link = links.get(n.name), bridge = bridges.get(n.name);
    const state = bridge && bridge.state !== "applied" ? bridge.state : link && link.state !== "applied" ? link.state : bridge ? bridge.state : "";
    card(xNet, n.mid, 230, "net", state, n.name, `${n.members.length} in it` + (bridge && bridge.id ? `, bridge domain ${bridge.id}` : ""));
  }
  for (const m of rows) {
    const g = put(svg, "g", null, { class: m.state });
    const mid = m.y + row / 2;
    if (m.more) {
      put(g, "text", m.name, { x: xMember + 20, y: mid + 4, class: "small" });
      continue;
    }
    put(g, "circle", null, { cx: xMember + 6, cy: mid, r: 5 });
    put(g, "text", short(m.name, 76), { x: xMember + 20, y: m.error ? mid - 1 : mid + 4 });
    if (m.error) put(g, "text", short(`${m.sort}: ${m.error.replaceAll("\n", "; ")}`, 88), { x: xMember + 20, y: mid + 13, class: "why" });
    put(g, "title", `${m.sort} ${m.name}\n${m.state}${m.error ? "\n" + m.error : ""}`);
  }
  box.replaceChildren(svg);
}

function rowsOf(id, lines, none) {
  const body = $(id).querySelector("tbody");
  body.replaceChildren();
  if (!lines.length) put(put(body, "tr"), "td", none, { colspan: 4, class: "none" });
  for (const cells of lines.slice(0, most)) {
    const tr = put(body, "tr");
    for (const c of cells) put(tr, "td", c);
  }
  if (lines.length > most) put(put(body, "tr"), "td", `and ${lines.length - most} more`, { colspan: 4, class: "none" });
}

function waiting(s) {
  const lines = (s.objects ?? []).filter((o) => o.state !== "applied" || o.leaving).map((o) => [o.key, o.leaving ? "leaving" : o.state, [...(o.blocked_by ?? []), o.error ?? ""].filter(Boolean).join(": "), o.since ? ago(o.since) : ""]);
  rowsOf("waiting", lines, "Nothing waits.");
}

function happened(all) {
  rowsOf("history", all.reverse().map((e) => [
    new Date(e.at).toLocaleTimeString(), e.what + (e.times ? ` (${e.times} times)` : ""), [e.action, e.object].filter(Boolean).join(" "), e.error || e.detail || "",
  ]), "Nothing has happened.");
}

let last = "";
async function ask() {
  try {
    const [status, history] = await Promise.all([fetch("/statusz"), fetch("/history")]);
    if (!status.ok) throw new Error(await status.text());
    const text = await status.text();
    const s = JSON.parse(text);
    header(s);
    if (text !== last) {
      picture(s);
      waiting(s);
      last = text;
    }
    happened(await history.json());
  } catch (err) {
    $("state").className = "bad";
    $("state").textContent = "the agent does not answer: " + err.message;
  }
  setTimeout(ask, document.hidden ? 10000 : 1000);
}

$("look").addEventListener("click", async () => {
  const out = $("plan");
  out.hidden = false;
  out.textContent = "looking …";
  try {
    const r = await fetch("/drift");
    out.textContent = r.ok ? (await r.json()).text || "VPP is as wanted." : await r.text();
  } catch (err) {
    out.textContent = err.message;
  }
});

ask();
