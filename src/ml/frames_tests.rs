//! What the frame reader makes of traces of each language, and of text that is none.

use proptest::prelude::*;

use super::*;

/// Compares with one line a frame: `file|function|line|origin`.
fn check(trace: &str, expected: &[&str]) {
    let read: Vec<String> = frames(trace)
        .iter()
        .map(|frame| {
            let line = frame.line.map(|line| line.to_string()).unwrap_or_default();
            format!(
                "{}|{}|{line}|{:?}",
                frame.file, frame.function, frame.origin
            )
        })
        .collect();
    assert_eq!(read, expected, "{trace}");
}

#[test]
fn python_tracebacks_are_turned_around() {
    check(
        "Traceback (most recent call last):\n  File \"/ws/tests/test_order.py\", line 8, in test_place\n    place(1)\n  \
         File \"/ws/src/order.py\", line 21, in place\n    raise ValueError(id)\n  \
         File \"/usr/lib/python3.12/json/decoder.py\", line 3, in decode\nValueError: 1\n",
        &[
            "/usr/lib/python3.12/json/decoder.py|decode|3|Library",
            "/ws/src/order.py|place|21|Product",
            "/ws/tests/test_order.py|test_place|8|Test",
        ],
    );
    check(
        "  File \"a.py\", line 3\n    x = (\nSyntaxError: '(' was never closed",
        &["a.py||3|Product"],
    );
}

#[test]
fn pytest_styles() {
    check(
        "    def test_place():\n>       place(1)\n\ntests/test_order.py:8: \n_ _ _ _ _\n\n    def place(id):\n>       raise \
         ValueError(id)\nE       ValueError: 1\n\nsrc/order.py:21: ValueError\n",
        &[
            "src/order.py|place|21|Product",
            "tests/test_order.py|test_place|8|Test",
        ],
    );
    check(
        "tests/test_order.py:8: in test_place\n    place(1)\n",
        &["tests/test_order.py|test_place|8|Test"],
    );
    check(
        "Traceback (most recent call last):    def t():>       raise ValueError('x')E       ValueError: x",
        &[],
    );
    check(
        "def t():>       raise ValueError()E       ValueErrortests/test_a.py:3: ValueError",
        &[],
    );
}

#[test]
fn java_and_kotlin() {
    check(
        "java.lang.IllegalStateException: no\n\tat com.shop.Order.place(Order.java:12)\n\tat \
         com.shop.OrderTest$1.run(OrderTest.kt:5)\n\tat java.base/java.lang.reflect.Method.invoke(Method.java:580)\n\tat \
         jdk.internal.X.invoke0(Native Method)\n\t... 20 more\nCaused by: java.io.IOException\n\tat \
         app//com.shop.Db.open(Db.kt:3)\n\tat com.shop.Db.call(Db.java:9) ~[shop.jar:1.0]\n",
        &[
            "Order.java|com.shop.Order.place|12|Product",
            "OrderTest.kt|com.shop.OrderTest$1.run|5|Test",
            "Method.java|java.lang.reflect.Method.invoke|580|Library",
            "|jdk.internal.X.invoke0||Library",
            "Db.kt|com.shop.Db.open|3|Product",
            "Db.java|com.shop.Db.call|9|Product",
        ],
    );
}

#[test]
fn javascript_and_typescript() {
    check(
        "Error: no\n    at Order.place [as save] (/ws/src/order.ts:12:5)\n    at async Object.<anonymous> \
         (C:\\ws\\src\\order.test.ts:3:1)\n    at new Cart (file:///ws/cart.js:1:2)\n    at /ws/src/run.js:7:9\n    at \
         Array.map (<anonymous>)\n    at process (node:internal/process/task_queues:95:5)\n",
        &[
            "/ws/src/order.ts|Order.place|12|Product",
            r"C:\ws\src\order.test.ts|Object.<anonymous>|3|Test",
            "file:///ws/cart.js|Cart|1|Product",
            "/ws/src/run.js||7|Product",
            "|Array.map||Product",
            "node:internal/process/task_queues|process|95|Library",
        ],
    );
    check(
        "place@https://shop.example/a.js:12:5\n@https://shop.example/a.js:2:1\nmail me@home:1:2",
        &[
            "https://shop.example/a.js|place|12|Product",
            "https://shop.example/a.js||2|Product",
        ],
    );
}

#[test]
fn go() {
    check(
        "panic: no\n\ngoroutine 7 [running]:\nshop/orders.(*Service).Place(0xc0001, 0x2)\n\t/ws/orders/place.go:12 \
         +0x1d\nshop/orders.TestPlace(0xc0002)\n\t/ws/orders/place_test.go:8 +0x2\ntesting.tRunner(0xc0, \
         0x1)\n\t/usr/local/go/src/testing/testing.go:1595 +0xff\ncreated by testing.(*T).Run in goroutine \
         1\n\t/usr/local/go/src/testing/testing.go:1648 +0x3ad\n",
        &[
            "/ws/orders/place.go|shop/orders.(*Service).Place|12|Product",
            "/ws/orders/place_test.go|shop/orders.TestPlace|8|Test",
            "/usr/local/go/src/testing/testing.go|testing.tRunner|1595|Library",
            "/usr/local/go/src/testing/testing.go|testing.(*T).Run|1648|Library",
        ],
    );
    check(
        "    place_test.go:8: got 1, want 2\n",
        &["place_test.go||8|Test"],
    );
}

#[test]
fn rust() {
    check(
        "thread 'main' panicked at src/orders.rs:12:5:\nno order\nstack backtrace:\n   0: rust_begin_unwind\n             at \
         /rustc/abc/library/std/src/panicking.rs:652:5\n   1: shop::orders::place\n             at ./src/orders.rs:12:5\n   2: \
         shop::tests::places\n             at ./src/lib.rs:3:9\n",
        &[
            "src/orders.rs||12|Product",
            "/rustc/abc/library/std/src/panicking.rs|rust_begin_unwind|652|Library",
            "./src/orders.rs|shop::orders::place|12|Product",
            "./src/lib.rs|shop::tests::places|3|Test",
        ],
    );
}

#[test]
fn csharp() {
    check(
        "System.InvalidOperationException : no\n   at Shop.Order.Place(Int32 id, String name) in \
         C:\\ws\\src\\Order.cs:line 12\n   at Shop.Tests.OrderTests.Places() in /ws/Shop.Tests/OrderTests.cs:line 5\n   at \
         System.Threading.Tasks.Task.Run(Action action)\n--- End of stack trace ---\n",
        &[
            r"C:\ws\src\Order.cs|Shop.Order.Place|12|Product",
            "/ws/Shop.Tests/OrderTests.cs|Shop.Tests.OrderTests.Places|5|Test",
            "|System.Threading.Tasks.Task.Run||Library",
        ],
    );
}

#[test]
fn prose_has_no_frames() {
    check("", &[]);
    check(
        "at once\nlook at https://shop.example:8080/x\nin a.go: nothing\n12: 30 minutes\nat 12:30 (see above)\n",
        &[],
    );
}

#[test]
fn deep_recursion_keeps_the_frames_nearest_to_the_failure() {
    let call = |number: usize| format!("  File \"a.py\", line {number}, in f\n");
    let python: String = (1..=1_000).map(call).collect();
    let read = frames(&python);
    assert_eq!(read.len(), MAX_FRAMES);
    assert_eq!(read[0].line, Some(1_000));
    let java: String = (1..=1_000)
        .map(|number| format!("\tat a.B.c(B.java:{number})\n"))
        .collect();
    let read = frames(&java);
    assert_eq!((read.len(), read[0].line), (MAX_FRAMES, Some(1)));
}

proptest! {
    #[test]
    fn no_text_is_too_strange(lines in prop::collection::vec(
        prop_oneof![
            "\\PC{0,40}",
            "[ \t]{0,2}(at |File \"|created by |[0-9]{1,2}: )?[a-z./\\\\:<>(){}\\[\\] \"@é]{0,20}(\\.py|\\.go|\\.rs|\\.java)?:?[0-9]{0,12}[:)]?[0-9]{0,3}\\)?",
        ], 0..12), glue in "(\n|\r\n|)") {
        prop_assert!(frames(&lines.join(&glue)).len() <= lines.len().max(1));
    }
}
