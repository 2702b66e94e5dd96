// Timers in the flow's own time: when nothing else is left to run the earliest one fires, and moves the clock on.
(function (realm) {
  'use strict';

  // As they are now: code that runs later may put something of the same name before them.
  const { Math, Number, Object, TypeError, WeakMap } = globalThis;

  const LONGEST = 20_000; // milliseconds that a flow may wait in all: Auth0's limit of the trigger
  let queue = [];
  let count = 0;

  class Timer {
    #kept = true;
    ref() { this.#kept = true; return this; }
    unref() { this.#kept = false; return this; }
    hasRef() { return this.#kept; }
    [Symbol.toPrimitive]() { return numbers.get(this); }
  }
  const numbers = new WeakMap();
  realm.exposed.push(new Timer());

  function add(callback, delay, args, repeat) {
    if (typeof callback !== 'function') {
      throw new TypeError('The "callback" argument must be of type function');
    }
    const wait = Math.min(Math.max(Number(delay) || 0, 0), 2 ** 31 - 1);
    const timer = new Timer();
    count += 1;
    numbers.set(timer, count);
    insert({ timer, number: count, at: realm.now + wait, callback, args, repeat: repeat ? Math.max(wait, 1) : 0 });
    return timer;
  }

  function insert(entry) {
    let place = queue.length;
    while (place > 0 && queue[place - 1].at > entry.at) place -= 1;
    queue.splice(place, 0, entry);
  }

  function clear(timer) {
    if (timer === undefined || timer === null) return;
    queue = queue.filter((entry) => entry.timer !== timer && entry.number !== Number(timer));
  }

  const functions = {
    setTimeout(callback, delay, ...args) { return add(callback, delay, args, false); },
    setInterval(callback, delay, ...args) { return add(callback, delay, args, true); },
    setImmediate(callback, ...args) { return add(callback, 0, args, false); },
    clearTimeout(timer) { clear(timer); },
    clearInterval(timer) { clear(timer); },
    clearImmediate(timer) { clear(timer); },
  };
  for (const name of Object.keys(functions)) globalThis[name] = functions[name];

  // What is thrown in a callback that nobody waits for fails the Action, as it would end Node.
  const genuine = queueMicrotask;
  globalThis.queueMicrotask = {
    queueMicrotask(callback) {
      if (typeof callback !== 'function') {
        throw new TypeError('The "callback" argument must be of type function');
      }
      genuine(() => {
        try { callback(); } catch (error) { realm.uncaught(error); }
      });
    },
  }.queueMicrotask;

  realm.hasTimer = () => queue.length > 0;
  realm.clearTimers = () => { queue = []; };
  realm.setTimers = () => {
    queue = [];
    count = 0;
  };

  // Fires the earliest timer; says whether there was time left for it.
  realm.fire = () => {
    const entry = queue.shift();
    if (entry.at - realm.began > LONGEST) return false;
    if (entry.at > realm.now) realm.now = entry.at;
    if (entry.repeat) insert({ ...entry, at: entry.at + entry.repeat });
    try { entry.callback(...entry.args); } catch (error) { realm.uncaught(error); }
    return true;
  };
})
