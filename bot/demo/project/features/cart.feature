Feature: Cart
  Customers collect books before they buy them.

  Scenario: The total is the sum of the books
    Given a cart with "Emma" for 12.50 euros
    And the cart also holds "Ulysses" for 20.00 euros
    When I look at the cart
    Then the total is 32.50 euros

  Scenario: A voucher lowers the total
    Given a cart with "Emma" for 12.50 euros
    When I redeem the voucher "WELCOME5"
    Then the total is 7.50 euros
