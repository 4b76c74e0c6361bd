// Live events in the hands of ws, and of the WebSocket that browsers have (undici's): node live.mjs URL.

import assert from 'node:assert';
import { once } from 'node:events';
import { WebSocket as BrowsersWebSocket } from 'undici';
import { WebSocket } from 'ws';

const url = process.argv[2];
const live = url.replace('http://', 'ws://') + '/api/ws/chat';

async function call(method, path, token, body) {
  const headers = { 'content-type': 'application/json' };
  if (token) headers.authorization = `Bearer ${token}`;
  const answer = await fetch(url + path, { method, headers, body: body && JSON.stringify(body) });
  assert(answer.ok, `${path}: ${answer.status}`);
  return answer.json();
}

const account = { email: 'browser@example.com', password: 'correct horse', tenantName: 'Browser' };
await call('POST', '/api/auth/register', undefined, account);
const { accessToken, refreshToken } = await call('POST', '/api/auth/login', undefined, account);

for (const Client of [WebSocket, BrowsersWebSocket]) {
  const socket = new Client(`${live}?token=${accessToken}`);
  const messages = [];
  const waiting = [];
  socket.onmessage = ({ data }) => {
    messages.push(JSON.parse(data));
    waiting.shift()?.();
  };
  const closed = new Promise((resolve) => { socket.onclose = resolve; });
  const next = async () => {
    if (messages.length === 0) await new Promise((resolve) => waiting.push(resolve));
    return messages.shift();
  };
  assert.equal((await next()).type, 'hello');
  const made = await call('POST', '/api/v1/api-keys', accessToken, { name: 'seen', scopes: ['signals'] });
  const { event } = await next();
  assert.deepEqual([event.type, event.data.key_id], ['key.created', made.id]);
  if (Client === WebSocket) {
    socket.ping('there');
    assert.equal((await once(socket, 'pong'))[0].toString(), 'there');
    socket.close(1000);
    assert.equal((await closed).code, 1000);
  } else {
    await call('POST', '/api/auth/logout', undefined, { refreshToken });
    assert.equal((await closed).code, 4401);
  }
}
console.log('ws and undici: events as they happen, 4401 after the log-out');
