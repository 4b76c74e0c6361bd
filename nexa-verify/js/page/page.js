// The page that verifies a pasted licence: reads the form, asks the module, shows what it found.

import { NOT_CHECKED, load, update } from '../src/browser.js';
import { facts, notes } from './words.js';

const element = (id) => document.getElementById(id);
const chosen = (name) => document.querySelector(`input[name="${name}"]:checked`).value;
const module = load();
/** Counts what was asked: an answer that comes after the form has changed is about another licence than the one shown. */
let run = 0;

element('form').addEventListener('input', () => begin(''));
element('form').addEventListener('submit', async (event) => {
  event.preventDefault();
  const own = begin('Checking…');
  const showOwn = (...found) => own === run && show(...found);
  try {
    const { report, problems } = await verify(await module);
    const verdict = report.decision === 'allow' ? 'Allowed' : 'Denied';
    showOwn(report.decision, verdict, report, notes(report, problems), facts(report));
  } catch (error) {
    // What the form says is wrong, not the licence; still nothing passes.
    showOwn('deny', 'Not checked', { message: error.message, code: error.code ?? 'argument' }, [], []);
  }
});

/** The verdict that stands there is over; answers the number of this run. */
function begin(text) {
  element('result').textContent = text;
  element('result').className = '';
  run += 1;
  return run;
}

/** Asks the module for what the form says. */
async function verify(nexa) {
  const token = element('token').value.trim();
  const expected = { issuer: element('issuer').value.trim(), audience: element('audience').value.trim(), device: device() };
  const now = time();
  const keys = element('keys').value;
  if (chosen('trust') === 'jwks') {
    const list = await file('revocations');
    return { report: nexa.verifier({ jwks: keys, ...expected }).check(token, { now, revocations: list }), problems: [] };
  }
  const client = nexa.client({ root: keys, ...expected });
  const problems = [];
  for (const [id, name] of [['key-set', 'key_set'], ['shard', 'shard']]) {
    const bytes = await file(id);
    if (!bytes) continue;
    // Which shard it has to be stands in the licence, once its keys are there.
    const wanted = { document: name, number: client.check(token, { now }).wanted?.number ?? 0 };
    try {
      client.receive(wanted, bytes);
    } catch (error) {
      problems.push({ ...wanted, code: error.code, message: error.message, url: 'your file' });
    }
  }
  if (!element('fetch').checked) return { report: client.check(token, { now }), problems };
  const fetched = await update(client, token, { now });
  return { report: fetched.report, problems: [...problems, ...fetched.problems] };
}

function device() {
  if (chosen('device') === 'not_checked') return NOT_CHECKED;
  const lines = element('components').value.split('\n').map((line) => line.trim());
  return lines.filter((line) => line !== '').map((line) => {
    const at = line.indexOf('=');
    if (at < 1) throw new Error(`Device: "${line}" is not kind=value.`);
    return [line.slice(0, at), line.slice(at + 1)];
  });
}

/** Unix seconds; `undefined` for now. */
function time() {
  const { value, validity } = element('time');
  if (validity.badInput) throw new Error('Time: this is not a date and a time.');
  return value === '' ? undefined : Math.floor(Date.parse(`${value}Z`) / 1000);
}

async function file(id) {
  const chosenFile = element(id).files[0];
  return chosenFile && new Uint8Array(await chosenFile.arrayBuffer());
}

function show(decision, verdict, report, noteLines, factRows) {
  const result = element('result');
  result.replaceChildren(element('verdict').content.cloneNode(true));
  element('decision').textContent = verdict;
  element('message').textContent = report.message;
  element('code').textContent = report.code;
  element('notes').replaceChildren(...noteLines.map((line) => withText('li', line)));
  element('facts').tBodies[0].replaceChildren(
    ...factRows.map(([name, value]) => {
      const row = document.createElement('tr');
      const head = withText('th', name);
      head.scope = 'row';
      row.append(head, withText('td', value));
      return row;
    }),
  );
  if (report.decision) element('raw').querySelector('pre').textContent = JSON.stringify(report, null, 2);
  else element('raw').remove();
  result.className = decision;
  result.scrollIntoView({ block: 'nearest' });
}

/** Never HTML: what a licence says is somebody else's text. */
function withText(name, text) {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
}
