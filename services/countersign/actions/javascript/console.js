// console.*: each line with its level, cut, for the worker's log; and how values and errors are shown.
(function (realm) {
  'use strict';

  // As they are now: code that runs later may put something of the same name before them.
  const { Array, Date, Error, JSON, Map, Number, Object, RegExp, Set, String, parseFloat, parseInt } = globalThis;

  const { maxRaw, maxLines } = realm.limits; // what is kept of a line is cut once secrets are masked
  const DEEPEST = 4;
  const MOST = 50;

  function quoted(text) {
    return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'").replaceAll('\n', '\\n')}'`;
  }

  function isName(key) {
    return /^[A-Za-z_$][\w$]*$/.test(key);
  }

  // As Node shows values, in a line; whatever it is, the result is a text.
  function inspect(value, depth = 0, above = []) {
    switch (typeof value) {
      case 'string': return depth === 0 ? value : quoted(value.slice(0, maxRaw));
      case 'function': return `[Function: ${String(value.name) || '(anonymous)'}]`;
      case 'bigint': return `${value}n`;
      case 'object': break;
      default: return String(value);
    }
    if (value === null) return 'null';
    if (above.includes(value)) return '[Circular]';
    if (value instanceof Error) return realm.describe(value);
    if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'Invalid Date' : value.toISOString();
    if (value instanceof RegExp) return String(value);
    if (depth > DEEPEST) return Array.isArray(value) ? '[Array]' : '[Object]';
    const inside = [...above, value];
    const show = (inner) => inspect(inner, depth + 1, inside);
    const more = (count) => (count > MOST ? [`... ${count - MOST} more`] : []);
    if (Array.isArray(value)) {
      const parts = value.slice(0, MOST).map(show);
      return parts.length ? `[ ${[...parts, ...more(value.length)].join(', ')} ]` : '[]';
    }
    if (value instanceof Map) {
      const parts = [...value].slice(0, MOST).map(([key, inner]) => `${show(key)} => ${show(inner)}`);
      return `Map(${value.size}) { ${parts.join(', ')} }`;
    }
    if (value instanceof Set) {
      return `Set(${value.size}) { ${[...value].slice(0, MOST).map(show).join(', ')} }`;
    }
    const keys = Object.keys(value);
    const parts = keys.slice(0, MOST).map((key) => `${isName(key) ? key : quoted(key)}: ${show(value[key])}`);
    return parts.length ? `{ ${[...parts, ...more(keys.length)].join(', ')} }` : '{}';
  }

  // Says what was thrown, whatever it was.
  realm.describe = (error) => {
    try {
      if (error instanceof Error) {
        const name = String(error.name);
        const message = String(error.message);
        return message ? `${name}: ${message}` : name;
      }
      return inspect(error, typeof error === 'string' ? 0 : 1);
    } catch {
      return 'something that cannot be shown';
    }
  };

  function format(args) {
    let rest = args;
    let text = '';
    if (typeof args[0] === 'string' && args.length > 1 && args[0].includes('%')) {
      let used = 1;
      text = args[0].replace(/%[sdifjoOc%]/g, (mark) => {
        if (mark === '%%') return '%';
        if (used >= args.length) return mark;
        const value = args[used];
        used += 1;
        switch (mark) {
          case '%s': return typeof value === 'string' ? value : inspect(value);
          case '%d': return String(Number(value));
          case '%i': return String(parseInt(value, 10));
          case '%f': return String(parseFloat(value));
          case '%j': return JSON.stringify(value);
          case '%c': return '';
          default: return inspect(value, 1);
        }
      });
      rest = args.slice(used);
      if (rest.length) text += ' ';
    }
    return text + rest.map((value) => inspect(value)).join(' ');
  }

  function write(level, args) {
    const { action } = realm;
    if (!action?.open || realm.lines >= maxLines) return;
    realm.lines += 1;
    let text;
    try { text = format(args); } catch { text = 'something that cannot be shown'; }
    action.console.push([level, text.slice(0, maxRaw)]);
  }

  const console = {};
  for (const level of ['log', 'info', 'warn', 'error', 'debug', 'trace']) {
    console[level] = { [level](...args) { write(level, args); } }[level];
  }
  console.dir = { dir(value) { write('log', [value]); } }.dir;
  console.table = { table(value) { write('log', [value]); } }.table;
  console.assert = {
    assert(holds, ...args) { if (!holds) write('error', ['Assertion failed:', ...args]); },
  }.assert;
  for (const name of ['count', 'countReset', 'group', 'groupCollapsed', 'groupEnd', 'time', 'timeEnd', 'timeLog']) {
    console[name] = { [name]() {} }[name];
  }
  globalThis.console = console;
})
