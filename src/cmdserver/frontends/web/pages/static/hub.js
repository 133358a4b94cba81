// One connection for all pages of a browser: it has six to a server over HTTP/1.1, and each page would hold one.
//
// A shared worker, which pages tell what they follow; where there is none a page runs this for itself. It keeps nothing
// but how far each of them is. A page that goes without a word is noticed by its lock, where there are locks.

const LONGEST_PAUSE = 30; // seconds between attempts to reach the server
const MOST = 25; // asked for in one request
const ALL = 100; // that the server takes
const root = new URL("../../", import.meta.url);
const topics = new Set(); // what is followed: `want`, its `places` by port, its `number` on the stream
let user = ""; // who is logged in, as the last page knows it
let stream = null; // from the first attempt to the last
let timer = 0;

// Event streams (HTML standard, "Server-sent events"), by fetch: EventSource does not tell of errors

async function* eventsOf(body) {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const blocks = (rest + decoder.decode(value, { stream: true })).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const event = Object.fromEntries([...block.matchAll(/^([a-z]+): (.*)$/gm)].map(([, field, text]) => [field, text]));
      if (event.event) yield event;
    }
  }
}

const ours = () => [...topics].filter((topic) => topic.user === user);

async function get(path, list, more = [], signal = null) {
  const wants = list.map((topic) => {
    topic.number = stream.made++;
    stream.parts.set(topic.number, topic);
    return topic.want;
  });
  const headers = { Accept: "text/event-stream", "Cmdserver-Rows": "yes" };
  const query = [...wants, ...more, `user=${encodeURIComponent(user)}`].join("&");
  const response = await fetch(new URL(`${path}?${query}`, root), { headers, cache: "no-store", signal });
  if (response.ok) return response;
  const { error } = await response.json();
  throw Object.assign(new Error(error.message), { status: response.status, wait: error.retry_after_seconds });
}

// As long as something is followed; goes on where it was when the connection breaks.
async function follow() {
  for (let pause = 1; ours().length; pause = Math.min(2 * pause, LONGEST_PAUSE)) {
    const { signal } = stream.leaving = new AbortController();
    Object.assign(stream, { name: "", parts: new Map(), made: 0, isBusy: false });
    for (const topic of topics) delete topic.number;
    let wait = 0;
    try {
      const { body } = await get("-/events", ours().slice(0, MOST), [], signal);
      for await (const event of eventsOf(body)) {
        pause = 1;
        take(event);
      }
    } catch (error) {
      wait = error.wait ?? 0;
      if (error.status < 500 && !wait) {
        stale(error.message);
        break;
      }
    }
    stream.name = "";
    if (pause > 1) stale("the server cannot be reached");
    await new Promise((resolve) => {
      stream.wake = resolve;
      setTimeout(resolve, Math.max(wait, pause * (0.5 + Math.random())) * 1000);
    });
  }
  stream = null;
}

function take({ part, id, event, data }) {
  if (event === "stream") {
    stream.name = JSON.parse(data);
    sync();
    return;
  }
  const { error } = event === "failure" ? JSON.parse(data) : {};
  if (error && part === undefined) throw Object.assign(new Error(error.message), { status: 401 }); // the session is over
  const topic = stream.parts.get(Number(part));
  if (!topic) return;
  if (id) topic.want = topic.want.replace(/=.*/, `=${id}`);
  const isOver = error || event === "outcome";
  if (isOver) stream.parts.delete(topic.number);
  if (error?.retry_after_seconds) {
    setTimeout(() => {
      delete topic.number;
      changed();
    }, error.retry_after_seconds * 1000);
    return;
  }
  if (event === "count") topic.latest = { event, data };
  for (const [port, { n, kinds }] of topic.places) {
    if (!kinds || kinds.includes(event)) port.postMessage({ n, id, event, data });
  }
  if (isOver) topics.delete(topic);
}

function stale(why) {
  for (const { places } of ours()) for (const [port, { n }] of places) port.postMessage({ n, why });
}

// Tells the server what is followed now, and what is not any more; what comes at once is told at once.
function changed() {
  timer ||= setTimeout(() => {
    timer = 0;
    sync();
  }, 20);
}

async function sync() {
  if (!stream && ours().length) {
    stream = {};
    follow();
  } else if (stream?.name && !stream.isBusy) {
    const { name, leaving, parts } = stream;
    const gone = [...parts].filter(([, topic]) => !topics.has(topic)).map(([number]) => number).slice(0, MOST);
    const fresh = ours().filter((topic) => topic.number === undefined).slice(0, Math.min(MOST, ALL - parts.size));
    if (!gone.length && !fresh.length) return;
    stream.isBusy = true;
    for (const number of gone) parts.delete(number);
    try {
      await get(`-/events/${name}`, fresh, gone.map((number) => `drop=${number}`));
    } catch {
      leaving.abort();
    }
    if (stream?.leaving === leaving) stream.isBusy = false;
    changed();
  } else {
    stream?.wake?.();
  }
}

function leave(port, n) {
  for (const topic of topics) {
    if (n === undefined || topic.places.get(port)?.n === n) topic.places.delete(port);
    if (!topic.places.size) topics.delete(topic);
  }
  changed();
}

// What several pages may hear alike, of which they want some kinds of events only, is one topic.
function join(port, { n, want, kinds, user: who }) {
  if (who !== user) {
    stale("somebody else is logged in now, or nobody");
    user = who;
    stream?.leaving.abort();
  }
  let topic = kinds && ours().find((each) => each.isShared && each.want === want);
  if (!topic) topics.add(topic = { want, user, isShared: kinds !== undefined, places: new Map() });
  topic.places.set(port, { n, kinds });
  if (topic.latest) port.postMessage({ n, ...topic.latest });
  changed();
}

globalThis.onconnect = ({ ports: [port] }) => {
  port.onmessage = ({ data }) => {
    if (data.lock) navigator.locks.request(data.lock, () => leave(port));
    else if (data.want) join(port, data);
    else leave(port, data.n);
  };
};
