// Freezes everything that a login could leave something in, and takes away what makes code of texts.
//
// Frozen prototypes have a trap: assigning to a name that an object inherits fails ("override mistake"), so
// `error.name = 'X'` or `Sub.prototype.toString = …` would. So inherited names are accessors whose setter
// defines a property of the object's own, as SES does it (Agoric, "enablements").
(function (realm) {
  'use strict';

  const { Error, EvalError, Function, Object, Reflect, Set, TypeError } = globalThis;
  const { defineProperty, getOwnPropertyDescriptor, getPrototypeOf, ownKeys } = Reflect;

  // -- no code that the engine itself would run: how it writes a stack is set for good --

  for (const [name, value] of [['prepareStackTrace', undefined], ['stackTraceLimit', 10]]) {
    Error[name] = value;
    delete Error[name];
    defineProperty(Error, name, { value, writable: false, configurable: false });
  }

  // -- no code from texts --

  function unevaluable(name, prototype) {
    const refusing = { [name]() {
      throw new EvalError(`${name} is not supported: no code is made of a text here`);
    } }[name];
    // A method is no constructor; this one has to be callable with `new`, to refuse that as clearly.
    const constructor = function (...args) { return refusing(...args); };
    defineProperty(constructor, 'name', { value: name, configurable: true });
    if (prototype) {
      defineProperty(constructor, 'prototype', { value: prototype, writable: false });
      defineProperty(prototype, 'constructor', { value: constructor, writable: true, configurable: true });
    }
    return constructor;
  }

  const samples = [
    function* () {},
    async function () {},
    async function* () {},
  ];
  for (const sample of samples) {
    const prototype = getPrototypeOf(sample);
    unevaluable(prototype.constructor.name, prototype);
  }
  globalThis.Function = unevaluable('Function', Function.prototype);
  globalThis.eval = unevaluable('eval');
  // Their results depend on other threads, or on when memory is collected.
  for (const name of ['SharedArrayBuffer', 'Atomics', 'WeakRef', 'FinalizationRegistry']) {
    delete globalThis[name];
  }

  // -- everything that can be reached, and what no name leads to --

  const hidden = [
    ...samples,
    samples[0](),
    samples[2](),
    [][Symbol.iterator](),
    new Map().entries(),
    new Set().values(),
    ''[Symbol.iterator](),
    'a'.matchAll(/a/g),
    [].values().map((each) => each),
    Iterator.from({ next() {} }),
    (function () { return arguments; })(),
    getOwnPropertyDescriptor((function () { return arguments; })(), 'callee')?.get,
    Promise.resolve(),
    ...realm.exposed,
  ];

  const found = new Set();
  const pending = [];

  function reach(value) {
    if (value === null || (typeof value !== 'object' && typeof value !== 'function') || found.has(value)) return;
    found.add(value);
    if (!realm.isOurs(value)) pending.push(value);
  }

  reach(globalThis);
  hidden.forEach(reach);
  while (pending.length) {
    const value = pending.pop();
    reach(getPrototypeOf(value));
    const keys = ownKeys(value);
    // Most are methods, which have a length and a name and lead nowhere.
    if (keys.length === 2 && keys[0] === 'length' && typeof value === 'function') continue;
    for (const key of keys) {
      const standing = getOwnPropertyDescriptor(value, key);
      if ('value' in standing) {
        reach(standing.value);
      } else {
        reach(standing.get);
        reach(standing.set);
      }
    }
  }

  // -- prototypes whose names can be overridden --

  const prototypes = new Set();
  for (const value of found) {
    if (typeof value === 'function') {
      const prototype = getOwnPropertyDescriptor(value, 'prototype')?.value;
      if (typeof prototype === 'object' && prototype !== null) prototypes.add(prototype);
    }
    const above = value === globalThis || realm.isOurs(value) ? null : getPrototypeOf(value);
    if (above !== null && found.has(above)) prototypes.add(above);
  }

  // What code gives its own objects a version of; of objects, functions and errors it may be any name.
  const OVERRIDDEN = ['constructor', 'toString', 'toLocaleString', 'valueOf', 'toJSON', 'push', 'concat', 'next', 'then'];

  function overridable(prototype, key) {
    const standing = getOwnPropertyDescriptor(prototype, key);
    if (!('value' in standing) || !standing.configurable || typeof key === 'symbol') return;
    const { value } = standing;
    defineProperty(prototype, key, {
      get() { return value; },
      set(own) {
        if (this === prototype) throw new TypeError(`${key} can't be changed: it is everybody's`);
        if (this === null || (typeof this !== 'object' && typeof this !== 'function')) return;
        defineProperty(this, key, { value: own, writable: true, enumerable: true, configurable: true });
      },
      enumerable: standing.enumerable,
      configurable: false,
    });
    const { get, set } = getOwnPropertyDescriptor(prototype, key);
    found.add(get).add(set);
  }
  prototypes.delete(globalThis);
  for (const prototype of prototypes) {
    if (realm.isOurs(prototype)) continue;
    const whole = prototype === Object.prototype || prototype === Function.prototype
      || prototype instanceof Error || prototype === Error.prototype;
    for (const key of whole ? ownKeys(prototype) : OVERRIDDEN) {
      if (getOwnPropertyDescriptor(prototype, key) !== undefined) overridable(prototype, key);
    }
  }
  // The accessors themselves, whose prototype is frozen by now.
  for (const value of found) {
    if (value !== globalThis && !realm.isOurs(value)) Object.freeze(value);
  }

  // -- the global object stays open, but what is there stays as it is: above it, where it costs nothing to look --

  const root = globalThis;
  const platform = Object.create(getPrototypeOf(root));
  for (const key of ownKeys(root)) {
    const standing = getOwnPropertyDescriptor(root, key);
    if (!standing.configurable) continue;
    defineProperty(platform, key, 'value' in standing
      ? { value: standing.value, writable: false, configurable: false }
      : { ...standing, configurable: false });
    delete root[key];
  }
  Object.setPrototypeOf(root, Object.freeze(platform));
  const count = ownKeys(root).length;
  const kept = new Set(ownKeys(root));

  // Puts the global object back; says whether that could be done.
  realm.restore = () => {
    if (!Object.isExtensible(root) || getPrototypeOf(root) !== platform) return false;
    const keys = ownKeys(root);
    if (keys.length === count) return true;
    return keys.every((key) => kept.has(key) || Reflect.deleteProperty(root, key));
  };
})
