// Reads a URL in Node, whose fetch knows no files.

import { readFile } from 'node:fs/promises';

export function read(url) {
  const at = new URL(url);
  return at.protocol === 'file:' ? readFile(at) : fetch(at);
}
