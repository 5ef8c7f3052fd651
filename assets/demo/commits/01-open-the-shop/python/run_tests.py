"""Runs the tests of this folder and writes one JUnit report for each file of tests."""

import contextlib
import datetime
import io
import logging
import pathlib
import re
import socket
import sys
import time
import unittest
from xml.etree import ElementTree

HERE = pathlib.Path(__file__).resolve().parent
REPORTS = HERE.parent / "reports"
NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Recorder(unittest.TestResult):
    """Keeps what each test did, said and how long it took."""

    def __init__(self):
        super().__init__()
        self.cases = []

    def startTest(self, test):
        super().startTest(test)
        self.outcome = ("passed", None, None, None)
        self.began = time.perf_counter()

    def addFailure(self, test, error):
        super().addFailure(test, error)
        self.note("failure", error, self.failures[-1][1])

    def addError(self, test, error):
        super().addError(test, error)
        self.note("error", error, self.errors[-1][1])

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.outcome = ("skipped", reason, None, None)

    def note(self, outcome, error, text):
        self.outcome = (outcome, str(error[1]), error[0].__name__, text)

    def stopTest(self, test):
        super().stopTest(test)
        seconds = time.perf_counter() - self.began
        print("{:<8}{} ({:.3f} s)".format(self.outcome[0], test.id(), seconds), file=sys.__stdout__)
        self.cases.append((test, seconds, self.outcome))


def tests_of(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from tests_of(test)
        else:
            yield test


def run(test, recorder):
    """Runs one test and returns what it printed."""
    output = io.StringIO()
    logging.root.handlers = [logging.StreamHandler(output)]
    logging.root.handlers[0].setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    with contextlib.redirect_stdout(output):
        test.run(recorder)
    return output.getvalue()


def write(name, cases):
    outcomes = [outcome[0] for _, _, outcome, _ in cases]
    suite = ElementTree.Element(
        "testsuite",
        name=name,
        tests=str(len(cases)),
        failures=str(outcomes.count("failure")),
        errors=str(outcomes.count("error")),
        skipped=str(outcomes.count("skipped")),
        time="{:.3f}".format(sum(seconds for _, seconds, _, _ in cases)),
        timestamp=datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds"),
        hostname=socket.gethostname(),
    )
    for test, seconds, (outcome, message, kind, trace), output in cases:
        classname, method = test.id().rsplit(".", 1)
        case = ElementTree.SubElement(
            suite,
            "testcase",
            classname=classname,
            name=method,
            file="python/tests/{}.py".format(name),
            line=str(getattr(test, method).__code__.co_firstlineno),
            time="{:.3f}".format(seconds),
        )
        if outcome != "passed":
            detail = ElementTree.SubElement(case, outcome, message=NOT_XML.sub("?", message))
            if kind:
                detail.set("type", kind)
                detail.text = NOT_XML.sub("?", trace)
        if output:
            ElementTree.SubElement(case, "system-out").text = NOT_XML.sub("?", output)
    path = REPORTS / "junit-{}.xml".format(name.replace("test_", ""))
    ElementTree.ElementTree(suite).write(str(path), encoding="utf-8", xml_declaration=True)
    print("wrote {}".format(path.relative_to(HERE.parent)))


def main():
    logging.root.setLevel(logging.INFO)
    sys.path.insert(0, str(HERE))
    recorder, files = Recorder(), {}
    for test in tests_of(unittest.defaultTestLoader.discover(str(HERE / "tests"), top_level_dir=str(HERE))):
        output = run(test, recorder)
        name = type(test).__module__.rsplit(".", 1)[-1]
        if recorder.cases:
            files.setdefault(name, []).append(recorder.cases.pop() + (output,))
    for name, cases in sorted(files.items()):
        write(name, cases)
    broken = len(recorder.failures) + len(recorder.errors)
    print("{} tests, {} broken, {} skipped".format(recorder.testsRun, broken, len(recorder.skipped)))
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
