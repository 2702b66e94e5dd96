// What lint reads sources with; no tenant's code sees it.
export { parse, getLineInfo, tokenizer, version } from "acorn";
export { ancestor, base, full, fullAncestor, simple } from "acorn-walk";
