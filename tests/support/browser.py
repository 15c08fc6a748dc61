#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""browser.py CHROMIUM URL FOLDER: look at the page of a job, as a person would, with a headless Chromium, and print what was seen: lines of a
name, a space and a value. Screenshots go to FOLDER, as does what tells the job to end, FOLDER/go, when all but the end was seen.

Chromium is spoken to by its DevTools protocol, over a pair of pipes. It is a process group of its own, which is killed however this ends."""
import base64, json, os, select, signal, sys, time

DEADLINE = 100


class Browser:
    def __init__(self, program, folder):
        to_read, self.to = os.pipe()
        self.back, back_write = os.pipe()
        # Their numbers must be out of the way of those that Chromium expects.
        high = [os.dup2(fd, 50 + i) for i, fd in enumerate((to_read, back_write))]
        null = os.open(os.devnull, os.O_RDWR)
        errors = os.open(os.path.join(folder, "chromium.log"), os.O_WRONLY | os.O_CREAT, 0o600)
        actions = [(os.POSIX_SPAWN_DUP2, null, 0), (os.POSIX_SPAWN_DUP2, null, 1), (os.POSIX_SPAWN_DUP2, errors, 2),
                   (os.POSIX_SPAWN_DUP2, high[0], 3), (os.POSIX_SPAWN_DUP2, high[1], 4)]
        arguments = [program, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                     "--disable-extensions", "--disable-background-networking", "--disable-component-update", "--disable-sync",
                     "--disable-crash-reporter", "--hide-scrollbars", "--user-data-dir=" + os.path.join(folder, "profile"),
                     "--remote-debugging-pipe", "--window-size=1200,900", "about:blank"]
        self.pid = os.posix_spawnp(program, arguments, os.environ, file_actions=actions, setpgroup=0)
        for fd in (to_read, back_write, null, errors, *high):
            os.close(fd)
        self.rest, self.number, self.session, self.events = b"", 0, None, []

    def end(self):
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        os.waitpid(self.pid, 0)

    def read(self, deadline):
        while b"\0" not in self.rest:
            if not select.select([self.back], [], [], max(0, deadline - time.monotonic()))[0]:
                raise TimeoutError("the browser does not answer")
            piece = os.read(self.back, 1 << 16)
            if not piece:
                raise EOFError("the browser has ended")
            self.rest += piece
        message, _, self.rest = self.rest.partition(b"\0")
        return json.loads(message)

    def call(self, method, seconds=30, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + seconds
        while True:
            answer = self.read(deadline)
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
            self.events.append(answer)

    def open(self):
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(domain + ".enable")

    def value(self, expression, seconds=30):
        result = self.call("Runtime.evaluate", seconds, expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in result:
            raise RuntimeError(f"{expression}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def wait(self, expression, seconds=20):
        """Return true if EXPRESSION becomes true in time."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.value(expression):
                return True
            time.sleep(0.02)
        return False

    def size(self, width, height, mobile=False):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=mobile)

    def scheme(self, name):
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}])

    def picture(self, file):
        time.sleep(0.3)  # for what moves; nothing depends on it
        data = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)["data"]
        with open(file, "wb") as out:
            out.write(base64.b64decode(data))

    def key(self, name, code, text=None):
        for kind in ("keyDown", "keyUp"):
            extra = {"text": text} if text and kind == "keyDown" else {}
            self.call("Input.dispatchKeyEvent", type=kind, key=name, code=name, windowsVirtualKeyCode=code, **extra)


def show(name, value):
    print(name, json.dumps(value) if isinstance(value, (bool, list)) else value, flush=True)


LATENCY = """new Promise((done) => {
  const list = document.getElementById('output-list'), found = [];
  const observer = new MutationObserver((records) => {
    for (const record of records) for (const node of record.addedNodes) {
      const match = /tick (\\d+)/.exec(node.textContent);
      if (match) found.push(Date.now() - Number(match[1]));
    }
    if (found.length >= 20) { observer.disconnect(); done(found.sort((a, b) => a - b)); }
  });
  observer.observe(list, { childList: true });
})"""


def look_at_texts(browser):
    show("texts", browser.wait("document.getElementById('title').textContent === 'paged.scm'"
                               " && /does not converge, residual 17/.test(document.body.textContent)"
                               " && document.querySelectorAll('.worker').length === 2"
                               " && document.querySelectorAll('.plots img').length === 1"
                               " && /tick/.test(document.getElementById('output-list').textContent)", 40))
    show("status", browser.value("document.getElementById('status').textContent"))
    show("hostile-text", browser.value("document.getElementById('output-list').textContent.includes('<img src=x onerror=')"
                                       " && document.getElementById('failures-list').textContent.includes('<script>document.title')"))
    show("elements-of-hostile-text", browser.value(
        "document.querySelectorAll('#output-list img, #failures-list img, #failures-list script, #output-list b, .plots i').length"
        " + document.scripts.length - 1"))
    show("plot", browser.wait("document.querySelector('.plots img').naturalWidth > 0"))
    latencies = browser.value(LATENCY, 40)
    show("latency-median", latencies[len(latencies) // 2])
    show("latency-most", latencies[-1])


def look_at_keys(browser):
    focused = "(document.activeElement || document.body).localName"
    names = []
    for _ in range(60):
        browser.key("Tab", 9)
        names.append(browser.value(focused))
        if names[-1] == "summary":
            break
    show("tab-reaches-failures", names[-1] == "summary")
    show("focus-visible", browser.value("document.activeElement.matches(':focus-visible')"
                                        " && getComputedStyle(document.activeElement).outlineStyle !== 'none'"))
    browser.key("Enter", 13, "\r")
    show("enter-opens", browser.wait("document.activeElement.parentElement.open", 5))
    for _ in range(60):
        browser.key("Tab", 9)
        names.append(browser.value("document.activeElement.id || document.activeElement.localName"))
        if names[-1] == "output-list":
            break
    show("tab-goes-on", names[-1] == "output-list")


def look_at_sizes(browser, folder):
    for scheme in ("light", "dark"):
        browser.scheme(scheme)
        browser.size(1200, 1500)
        browser.picture(os.path.join(folder, scheme + ".png"))
    browser.size(360, 740, True)
    show("width-360", browser.value("document.documentElement.scrollWidth"))
    browser.size(360, 2400, True)
    browser.picture(os.path.join(folder, "telephone.png"))
    browser.scheme("light")
    browser.size(1200, 900)


def main():
    program, url, folder = sys.argv[1:]
    signal.alarm(DEADLINE)  # a default action would leave the browser
    signal.signal(signal.SIGALRM, lambda *_: (_ for _ in ()).throw(TimeoutError("it takes too long")))
    browser = Browser(program, folder)
    try:
        browser.open()
        browser.call("Page.navigate", url=url)
        browser.wait("document.readyState === 'complete' && document.getElementById('status') !== null")
        look_at_texts(browser)
        look_at_keys(browser)
        look_at_sizes(browser, folder)
        show("title-harmed", "harmed" in browser.value("document.title"))
        open(os.path.join(folder, "go"), "w").close()
        show("end", browser.wait("document.getElementById('status').textContent.startsWith('The job has ended well')"))
        browser.picture(os.path.join(folder, "ended.png"))
        browser.value("0")
        show("errors", [e["params"]["entry"]["text"] for e in browser.events
                        if e.get("method") == "Log.entryAdded" and e["params"]["entry"]["level"] == "error"]
             + [str(e["params"]["exceptionDetails"]) for e in browser.events if e.get("method") == "Runtime.exceptionThrown"])
    finally:
        browser.end()


main()
