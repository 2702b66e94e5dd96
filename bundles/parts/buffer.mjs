// Node's Buffer; the package has everything but the encoding base64url, which tokens are written in.
import { Buffer } from "buffer/index.js";

const isBase64url = (encoding) => String(encoding).toLowerCase() === "base64url";
// What reads base64 takes both alphabets.
const known = (encoding) => (isBase64url(encoding) ? "base64" : encoding);

const { from, isEncoding, byteLength, alloc } = Buffer;
const { toString, write, fill, indexOf, lastIndexOf, includes } = Buffer.prototype;

Buffer.from = (value, encoding, length) => from(value, known(encoding), length);
Buffer.isEncoding = (encoding) => isBase64url(encoding) || isEncoding(encoding);
Buffer.byteLength = (value, encoding) =>
  isBase64url(encoding) && typeof value === "string" ? from(value, "base64").length : byteLength(value, encoding);
Buffer.alloc = (size, filling, encoding) => alloc(size, filling, known(encoding));

Buffer.prototype.toString = function (encoding, start, end) {
  if (!isBase64url(encoding)) return toString.call(this, encoding, start, end);
  return toString.call(this, "base64", start, end).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
};
Buffer.prototype.toLocaleString = Buffer.prototype.toString;
for (const [name, method] of Object.entries({ write, fill, indexOf, lastIndexOf, includes })) {
  Buffer.prototype[name] = function (...given) {
    return method.apply(this, given.map((each) => (typeof each === "string" && isBase64url(each) ? "base64" : each)));
  };
}

export { Buffer };
