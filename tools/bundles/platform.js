// What QuickJS lacks of the globals that Actions use; see README.md.
import { TextDecoder, TextEncoder } from '@kayahr/text-encoding/no-encodings';
import '@kayahr/text-encoding/encodings/utf-8';
import structuredClone from '@ungap/structured-clone';
import { Buffer } from 'buffer';
import URL from 'core-js-pure/web/url';
import URLSearchParams from 'core-js-pure/web/url-search-params';

// The package reads base64url as base64 already; it only doesn't know the name.
const isUrlSafe = (encoding) => String(encoding).toLowerCase() === 'base64url';
const { byteLength, from, isEncoding } = Buffer;
const { toString } = Buffer.prototype;
Buffer.from = (value, encoding, length) => from(value, isUrlSafe(encoding) ? 'base64' : encoding, length);
Buffer.byteLength = (value, encoding) => (
  isUrlSafe(encoding) && typeof value === 'string' ? from(value, 'base64').length : byteLength(value, encoding));
Buffer.isEncoding = (encoding) => isUrlSafe(encoding) || isEncoding(encoding);
Buffer.prototype.toString = function (encoding, ...range) {
  if (!isUrlSafe(encoding)) return toString.call(this, encoding, ...range);
  return toString.call(this, 'base64', ...range).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
};

const globals = {
  Buffer,
  TextDecoder,
  TextEncoder,
  URL,
  URLSearchParams,
  structuredClone: (value) => structuredClone(value),
};
for (const [name, value] of Object.entries(globals)) {
  Object.defineProperty(globalThis, name, { value, writable: true, configurable: true });
}
// core-js notes its versions here; nobody asks for them, and what is global can be changed by all.
delete globalThis['__core-js_shared__'];
