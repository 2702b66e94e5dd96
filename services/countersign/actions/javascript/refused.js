// What can't be supported here is refused by its name, with what to do instead; never ignored.
(function (realm) {
  'use strict';

  // As they are now: code that runs later may put something of the same name before them.
  const { Date, Error, Map, Math, Number, Object, Proxy, Set, String, TypeError, WeakMap, WeakSet } = globalThis;

  const marks = new WeakMap();
  const proxies = new WeakSet();

  // Proxies are frozen as they are, and not to be walked.
  realm.isOurs = (value) => proxies.has(value);

  function kept(proxy) {
    proxies.add(proxy);
    return proxy;
  }

  const members = new Map(realm.members.map(([path, treatment, explanation]) => [path, { treatment, explanation }]));

  // An error of our own; `kind` and `member` are kept beside it, where nobody else reads or writes them.
  realm.error = (kind, member, message) => {
    const error = new Error(message);
    error.name = kind === 'unsupported' ? 'UnsupportedError' : 'TypeError';
    marks.set(error, { kind, member });
    return error;
  };
  realm.mark = (error) => (typeof error === 'object' && error !== null ? marks.get(error) : undefined);

  function explanation(path) {
    for (let name = path; name !== ''; name = name.slice(0, Math.max(name.lastIndexOf('.'), 0))) {
      const found = members.get(name) ?? members.get(`${name}.*`);
      if (found?.treatment === 'unsupported') return `${found.explanation}.`;
      if (found !== undefined) break;
    }
    return 'There is no such member. The page "Moving from Auth0" lists all there are.';
  }

  // Fails the Action that is under way, caught or not: what it asked for can't be done, and isn't passed over.
  realm.refuse = (path, message) => {
    const error = realm.error('unsupported', path, message);
    if (realm.action?.open) realm.uncaught(error);
    throw error;
  };

  function refuse(path) {
    realm.refuse(path, `${path} is not supported. ${explanation(path)}`);
  }

  // What languages and libraries ask of any object, so nothing is meant by it.
  const PROBED = new Set(['then', 'toJSON', 'constructor', 'prototype', 'toString', 'valueOf', 'inspect', 'nodeType']);

  const fixed = {
    set(target, name) { throw new TypeError(`${String(name)} can't be changed`); },
    defineProperty() { return false; },
    deleteProperty() { return false; },
    setPrototypeOf() { return false; },
    preventExtensions() { return true; },
  };

  // Stands for a member that isn't there: whatever is asked of it is refused by its whole path.
  realm.refused = (path) => {
    const target = function () {}; // what can be called, with `new` as well
    Object.setPrototypeOf(target, null);
    // A frozen property of the target's would have to be told as it is.
    delete target.name;
    delete target.length;
    target.prototype = undefined;
    return kept(new Proxy(Object.freeze(target), {
      ...fixed,
      get(_, name) {
        if (typeof name === 'symbol' || PROBED.has(name)) return undefined;
        return realm.refused(`${path}.${name}`);
      },
      has() { return false; },
      apply() { refuse(path); },
      construct() { refuse(path); },
    }));
  };

  // An object with these members, on which every other one is refused.
  realm.closed = (path, own) => {
    const others = kept(new Proxy(Object.freeze(Object.create(null)), {
      ...fixed,
      get(_, name) {
        if (typeof name === 'symbol' || PROBED.has(name)) return undefined;
        return realm.refused(`${path}.${name}`);
      },
    }));
    return Object.freeze(Object.create(others, Object.getOwnPropertyDescriptors(own)));
  };

  for (const name of ['fetch', 'XMLHttpRequest', 'WebSocket', 'Deno', 'auth0', 'Intl', 'crypto']) {
    globalThis[name] = realm.refused(name);
  }
  globalThis.process = realm.closed('process', {
    env: Object.freeze({}),
    nextTick: Object.freeze({ nextTick(callback, ...args) { queueMicrotask(() => callback(...args)); } }.nextTick),
  });
  globalThis.global = globalThis;

  // Without Intl there is one way to write a date or a number; another one that is asked for is refused.
  const LOCALES = [undefined, null, 'en', 'en-US'];
  for (const [owner, name] of [
    [Date.prototype, 'toLocaleString'],
    [Date.prototype, 'toLocaleDateString'],
    [Date.prototype, 'toLocaleTimeString'],
    [Number.prototype, 'toLocaleString'],
  ]) {
    const genuine = owner[name];
    const { [name]: checked } = { [name](locale, options) {
      if (options !== undefined || !LOCALES.includes(locale)) refuse(`Intl.${name}`);
      return genuine.call(this);
    } };
    owner[name] = checked;
  }
})
