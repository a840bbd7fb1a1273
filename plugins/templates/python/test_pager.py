"""The tests of pager.py. They run natively: python3 -m unittest"""

import unittest
from types import SimpleNamespace as Record

from pager import (
    Delivered, Gone, InvalidAddress, Rejected, RequestError, Retry, Trouble,
    check_address, confirmation, deliver, digest, flat, response_outcome, single,
)


def event(subtitle="", title="a.b", long_form="", link=None):
    return Record(subtitle=subtitle, title=title, topic="org.example.a.b", long_form=long_form, link=link)


class Addresses(unittest.TestCase):
    def test_a_name_has_one_normal_form(self):
        for text in ["ralph", " Ralph ", "RALPH\n"]:
            self.assertEqual(check_address(text), "ralph")

    def test_an_invalid_name_is_refused_with_the_reason(self):
        for text in ["", " ", "a b", "a\nb", "ü", "-a", "x" * 65, "a@b"]:
            with self.assertRaisesRegex(InvalidAddress, "a pager's name has"):
                check_address(text)


class Lines(unittest.TestCase):
    def test_each_kind_of_delivery_becomes_a_few_lines(self):
        built = event("built\r\nX: y", long_form="by ralph", link="https://e.org/1")
        self.assertEqual(single(built), "built X: y\nby ralph\nhttps://e.org/1")
        self.assertEqual(single(event("built", long_form="built")), "built")
        self.assertEqual(single(event()), "a.b")
        self.assertEqual(digest(Record(events=[event()] * 2, omitted=1, summary=["a", "b"])), "3 updates: a; b")
        self.assertEqual(digest(Record(events=[event()], omitted=0, summary=[])), "1 update")
        question = confirmation(Record(code="K7QX", accept_link="https://t.org/y", reject_link="https://t.org/n"))
        self.assertEqual(question, "Notifications here? Yes: https://t.org/y (code K7QX) No: https://t.org/n")

    def test_text_of_any_characters_and_length_becomes_one_short_line(self):
        self.assertEqual(flat("a\x00\x1b[2J\u2028b\t c"), "a [2J b c")
        self.assertEqual(len(flat("ü" * 1_000_000)), 400)


class Outcomes(unittest.TestCase):
    def test_each_response_maps_to_its_outcome(self):
        for status, headers, body, expected in [
            (204, [], b"", Delivered("HTTP 204")),
            (301, [], b"", Rejected("HTTP 301")),
            (400, [], b"no\r\n", Rejected("HTTP 400: no")),
            (403, [], b"", Trouble("HTTP 403")),
            (410, [], b"", Gone("HTTP 410")),
            (429, [("Retry-After", " 7")], b"", Retry("HTTP 429", 7000)),
            (503, [("retry-after", "soon")], b"\xff", Retry("HTTP 503: \ufffd")),
            (503, [("retry-after", "9" * 5000)], b"", Retry("HTTP 503")),
        ]:
            self.assertEqual(response_outcome(status, headers, body), expected)

    def run_batch(self, responses, times=None):
        """Delivers three; `responses` are statuses or errors. Returns the outcomes."""
        responses, times, settled = iter(responses), iter(times or [60_000] * 9), {}

        def post(name, text, id):
            response = next(responses)
            if isinstance(response, RequestError):
                raise response
            return response, [], b""

        batch = [(name, "text", name * 32) for name in "abc"]
        outcomes = deliver(batch, post, lambda: next(times), settled.__setitem__)
        self.assertEqual(list(settled.values()), outcomes)
        return outcomes

    def test_a_failure_of_one_delivery_does_not_affect_the_others(self):
        failed = RequestError("failed", "connection refused")
        got = self.run_batch([200, failed, 500])
        self.assertEqual(got, [Delivered("HTTP 200"), Retry("failed: connection refused"), Retry("HTTP 500")])

    def test_after_trouble_of_the_channel_nothing_more_is_sent(self):
        denied = RequestError("denied", "not granted")
        self.assertEqual(self.run_batch([200, denied]), [Delivered("HTTP 200")] + [Trouble("denied: not granted")] * 2)

    def test_a_delivery_without_time_left_is_sent_again_later(self):
        got = self.run_batch([200, 200], times=[60_000, 60_000, 20_000, 10_000])
        self.assertEqual(got[:2], [Delivered("HTTP 200")] * 2)
        self.assertIsInstance(got[2], Retry)


if __name__ == "__main__":
    unittest.main()
