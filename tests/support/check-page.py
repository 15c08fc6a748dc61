# SPDX-License-Identifier: LGPL-3.0-or-later
"""check-page.py FILE: is it a page that needs nothing else and runs nothing, whatever texts are in it? Prints the number of elements, then the
text that people see."""
import base64
import hashlib
import html.parser
import sys
import unicodedata

TAGS = set("html head meta title style body header main footer section h1 h2 p span small b bdi dl dt dd div table thead tbody tr th td details"
           " summary pre svg path ul li".split())
ATTRIBUTES = set("lang charset http-equiv content name class d viewbox preserveaspectratio aria-hidden aria-label role tabindex scope open".split())
EMPTY = {"meta"}


class Page(html.parser.HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open, self.n, self.text, self.style, self.policy = [], 0, [], "", None

    def handle_starttag(self, tag, attrs):
        assert tag in TAGS, tag
        for name, value in attrs:
            assert name in ATTRIBUTES, (tag, name, value)
        if dict(attrs).get("http-equiv") == "Content-Security-Policy":
            self.policy = dict(attrs)["content"]
        self.n += 1
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "style":
            self.style += data
        else:
            self.text.append(data)


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        source = file.read()
    page = Page()
    page.feed(source)
    page.close()
    assert page.open == [], page.open
    digest = base64.b64encode(hashlib.sha256(page.style.encode()).digest()).decode()
    assert page.policy == "default-src 'none'; style-src 'sha256-%s'; base-uri 'none'; form-action 'none'" % digest, (page.policy, digest)
    assert "http://" not in source and "https://" not in source and "url(" not in source and "@import" not in source
    strange = [c for c in source if c != "\n" and unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co")]
    assert strange == [], strange
    print(page.n)
    print("".join(page.text))


main()
