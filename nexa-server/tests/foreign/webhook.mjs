// Deliveries that webhook.py has taken, in the hands of the official library for JavaScript and of the README's own lines.
//
//     node webhook.mjs README FOLDER
//
// As in webhook.py: the library knows the scheme v1 alone and is given one more signature, of its own making.

import assert from 'node:assert';
import { readFileSync, writeFileSync } from 'node:fs';
import { Webhook } from 'standardwebhooks';

const [readme, folder] = process.argv.slice(2);
const blocks = readFileSync(readme, 'utf8').matchAll(/```js\n([^]*?)```/g);
const [lines] = [...blocks].map((block) => block[1]).filter((text) => text.includes('whpk_'));
writeFileSync(`${folder}/readme.mjs`, lines);
const { isGenuine } = await import(`${folder}/readme.mjs`);

const { publicKeys, deliveries } = JSON.parse(readFileSync(`${folder}/deliveries.json`, 'utf8'));
const official = new Webhook(`whsec_${Buffer.from('a secret of the test, 24 bytes').toString('base64')}`);
for (const { headers, body } of deliveries) {
  const bytes = Buffer.from(body);
  assert(isGenuine(publicKeys, headers, bytes));
  assert(!isGenuine(publicKeys, headers, Buffer.from(`${body} `)));
  assert(!isGenuine(publicKeys, { ...headers, 'webhook-timestamp': `${Number(headers['webhook-timestamp']) + 1}` }, bytes));
  assert.throws(() => official.verify(body, headers));
  const own = official.sign(headers['webhook-id'], new Date(Number(headers['webhook-timestamp']) * 1000), body);
  const signed = { ...headers, 'webhook-signature': `${headers['webhook-signature']} ${own}` };
  assert.equal(official.verify(body, signed).id, headers['webhook-id']);
  assert.throws(() => official.verify(`${body} `, signed));
}
assert.equal(deliveries.length, 3);
console.log(`${deliveries.length} webhooks are read by the official library and genuine to node`);
